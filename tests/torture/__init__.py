"""The campaign that attacks the package: mutated files, kills, a server under load, damaged models, and same bytes.

    PYTHONPATH=tests python -m torture                      # everything, about half an hour (make torture)
    PYTHONPATH=tests python -m torture files --cases 500 --seed 7

A part is a module: it draws its cases from a seed, each case from the seed and its own number alone, and gives an
`Outcome`, of which one line is printed. Whatever it finds becomes a small test beside the module at fault.
"""
