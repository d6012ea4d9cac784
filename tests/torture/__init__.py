"""The campaign that attacks the package.

Mutated files, kills and full disks, a server under load, damaged models, same bytes, many threads, and who waits.

    PYTHONPATH=tests python -m torture                      # everything, about half an hour (make torture)
    PYTHONPATH=tests python -m torture files --cases 500 --seed 7
    PYTHONPATH=tests python -m torture files --cases 1 --first 643 --seed 1    # case 643 alone

A part is a module: it draws its cases from a seed, each case from the seed and its own number alone, and gives an
`Outcome`, of which one line is printed. Whatever it finds becomes a small test beside the module at fault.
"""
