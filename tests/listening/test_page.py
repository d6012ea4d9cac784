"""The listening test's page in a real browser: what a subject does, by mouse and by keyboard."""

import pytest
from browsing import Page, free_port
from listeners import served, tokens_of, tone, write_study

from fadernets.listening.store import Study
from fadernets.listening.study_files import ASPECTS

WAYS = ["up", "down"]
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
FITS = "() => document.documentElement.scrollWidth <= window.innerWidth"
OWN = (
    "ERR_INTERNET_DISCONNECTED",
    "status of 400",
    "status of 503",
)  # what the browser itself says of what a test brought about


@pytest.fixture(scope="module")
def sounds():
    return tone(0.12)


@pytest.fixture
def folder(tmp_path, sounds):
    return write_study(tmp_path / "study", WAYS, wav=sounds)


@pytest.fixture
def address(folder):
    with served(folder) as found:
        yield found


@pytest.fixture
def link(address, folder):
    return f"{address}?s={tokens_of(folder)[0]}"


@pytest.fixture
def tab(chromium, link):
    """A new page by the first subject's link, which must not complain."""
    tabs = []

    def tab(**more):
        tabs.append(Page(chromium, link, **more))
        tabs[-1].open()
        return tabs[-1]

    yield tab
    for one in tabs:
        one.context.close()
        assert [info for info in one.complaints if not any(own in info for own in OWN)] == []
        assert one.outside == []


@pytest.fixture
def page(tab):
    page = tab().page
    page.get_by_role("button", name="I agree").click()
    page.wait_for_selector("h2:has-text('Practice')")
    return page


def button(page, name):
    return page.get_by_role("button", name=name)


def hear(page):
    """Both sounds, to their ends."""
    for name in ("original", "transformed"):
        button(page, f"Play the {name}").click()
        page.wait_for_selector(f".sound:has-text('{name}') >> text=/^heard/i")


def say(page, changed="Yes, more", value=3, but=()):
    page.get_by_role("radio", name=changed).check()
    for aspect in ASPECTS:
        if aspect not in but:
            rating(page, aspect, value).check()


def rating(page, aspect, value):
    return page.get_by_role("group", name=aspect.title()).get_by_role("radio", name=str(value))


def saved(page, count=5):
    page.wait_for_function(f"() => document.querySelectorAll('.mark.saved').length === {count}")


def complete(page, **info):
    hear(page)
    say(page, **info)
    saved(page)


def at(page, heading):
    page.wait_for_selector(f"h2:has-text('{heading}')")


def records(folder):
    with Study.open(folder) as study:
        return study.records()


def test_a_subject_goes_through_by_mouse(page, folder):
    complete(page)
    button(page, "Next").click()
    at(page, "1 of 2")
    complete(page, changed="Yes, less", value=2)
    button(page, "Play the transformed").click()  # may be heard again
    page.wait_for_selector("text=heard 2 times")
    button(page, "Next").click()
    at(page, "2 of 2")
    assert page.title() == "2 of 2 · Listening test"
    complete(page, changed="No change", value=5)
    button(page, "Next").click()
    at(page, "All answered")
    button(page, "Back").click()
    rating(page, "harmony", 4).check()
    saved(page)
    button(page, "Next").click()
    button(page, "Finish").click()
    at(page, "Thank you!")
    first, second = (r.answer for r in records(folder))
    assert (first.changed, second.changed) == ("down", "none")
    assert first.ratings == dict.fromkeys(ASPECTS, 2)
    assert second.ratings == dict.fromkeys(ASPECTS, 5) | {"harmony": 4}
    assert (first.played.original, first.played.transformed) == (1, 2)
    assert first.played.seconds > 0.36
    page.reload()
    at(page, "Thank you!")


def test_a_subject_goes_through_by_keyboard(tab, folder):
    page = tab().page
    page.wait_for_selector("text=I agree")

    def press(*keys):
        for key in keys:
            page.keyboard.press(key)

    press("Tab", "Enter")
    at(page, "Practice")
    for heading in ("1 of 2", "2 of 2", "All answered"):
        page.wait_for_function("() => document.activeElement.tagName === 'H2'")
        press("Tab", "Enter")
        page.wait_for_selector("text=/^heard once/")
        press("Tab", "Space")
        page.wait_for_function("() => document.querySelectorAll('input:enabled').length === 23")
        press("Tab", "ArrowDown")  # the second of three
        for _ in ASPECTS:
            press("Tab", "ArrowRight", "ArrowRight")  # from 1 to 3
        saved(page)
        press("Tab", *(["Tab"] if heading != "1 of 2" else []), "Enter")
        at(page, heading)
    page.wait_for_function("() => document.activeElement.tagName === 'H2'")
    press("Tab", "Tab", "Enter")
    at(page, "Thank you!")
    assert [r.answer.changed for r in records(folder)] == ["down", "down"]
    assert {value for r in records(folder) for value in r.answer.ratings.values()} == {3}


def test_the_transformed_comes_after_the_original_and_questions_after_both(page):
    assert button(page, "Play the transformed").is_disabled()
    assert page.get_by_role("radio", name="Yes, more").is_disabled()
    button(page, "Play the original").click()
    page.wait_for_selector("text=heard once")
    assert page.get_by_role("radio", name="Yes, more").is_disabled()
    button(page, "Play the transformed").click()
    page.wait_for_selector("text=Now answer the questions")
    say(page, but=["melody"])
    page.wait_for_selector("text=Still to answer: melody.")
    assert button(page, "Next").is_disabled()
    rating(page, "melody", 1).check()
    assert button(page, "Next").is_enabled()


def test_only_one_sound_plays(chromium, tmp_path):
    folder = write_study(tmp_path / "long", WAYS, wav=tone(20))
    with served(folder) as address, Study.open(folder) as study:
        token = tokens_of(folder)[0]
        practice = study.consent(token).practice.id
        study.answer(token, practice, played={"original": 1})
        one = Page(chromium, f"{address}?s={token}")
        page = one.open()
        button(page, "Play the original").click()
        page.wait_for_selector("text=0:01 of 0:20")
        button(page, "Play the transformed").click()
        button(page, "Pause the transformed").wait_for()
        button(page, "Play the original").wait_for()
        assert page.evaluate("() => [...document.querySelectorAll('audio')].map((a) => a.paused)") == [True, False]
        page.keyboard.press("Space")
        button(page, "Play the transformed").wait_for()
        page.reload()
        assert study.subject(token).practice.answer.played.transformed == 0  # it was not heard to its end
        one.context.close()
        assert one.complaints == []


def test_a_sound_that_cannot_be_had_is_tried_again(tab, folder, sounds):
    token = tokens_of(folder)[0]
    with Study.open(folder) as study:
        path = study.sound(token, study.consent(token).practice.original)
    path.unlink()
    page = tab().page
    page.wait_for_selector("text=The sound could not be loaded. Press play to try again.")
    path.write_bytes(sounds)
    button(page, "Play the original").click()
    page.wait_for_selector("text=heard once")
    assert page.locator("text=could not be loaded").count() == 0


def test_a_link_goes_on_where_the_subject_stopped(page, tab):
    complete(page)
    button(page, "Next").click()
    at(page, "1 of 2")
    hear(page)
    say(page, changed="Yes, less", but=["naturalness"])
    saved(page, 4)
    page.reload()
    for each in (page, tab(**PHONE).page):  # the same tab, then another device
        at(each, "1 of 2")
        assert each.get_by_role("radio", name="Yes, less").is_checked()
        assert rating(each, "harmony", 3).is_checked()
        assert each.locator("text=heard once").count() == 2
        saved(each, 4)
    other = each
    rating(other, "naturalness", 2).check()
    saved(other)
    button(other, "Back").click()
    at(other, "Practice")
    assert other.get_by_role("radio", name="Yes, more").is_checked()
    button(other, "Go to 2 of 2").click()
    at(other, "2 of 2")


def test_a_lost_connection_loses_nothing(tab, folder):
    one = tab()
    page = one.page
    button(page, "I agree").click()
    complete(page)
    button(page, "Next").click()
    at(page, "1 of 2")
    hear(page)
    page.get_by_role("radio", name="No change").check()
    saved(page, 1)
    one.context.set_offline(True)
    say(page, changed="Yes, less", value=4)
    page.wait_for_selector("text=No connection. Your answers are kept")
    assert page.locator(".mark.kept").count() == 5
    assert button(page, "Next").is_enabled()
    assert records(folder)[0].answer.changed == "none"
    one.context.set_offline(False)
    page.wait_for_selector("text=The connection is back")
    saved(page)
    assert records(folder)[0].answer.changed == "down"
    assert set(records(folder)[0].answer.ratings.values()) == {4}


def test_what_waits_outlives_the_page_and_the_server(chromium, tmp_path, sounds):
    folder, port = write_study(tmp_path / "study", WAYS, wav=sounds), free_port()
    token = tokens_of(folder)[0]
    with served(folder, port) as address:
        one = Page(chromium, f"{address}?s={token}")
        page = one.open()
        button(page, "I agree").click()
        hear(page)
        say(page, but=["rhythm"])
        saved(page, 4)
        page.wait_for_function("() => !Object.keys(localStorage).length")
    rating(page, "rhythm", 5).check()
    page.wait_for_selector("text=No connection. Your answers are kept")
    page.goto("about:blank")
    with served(folder, port):
        one.open()
        at(page, "1 of 2")
        page.wait_for_function("() => !Object.keys(localStorage).length")
        with Study.open(folder) as study:
            assert study.subject(token).practice.answer.ratings["rhythm"] == 5
        one.context.close()
    assert all("ERR_CONNECTION_REFUSED" in info for info in one.complaints)


def test_withdrawing(page, folder):
    complete(page)
    button(page, "Withdraw").click()
    button(page, "Keep my answers").click()
    assert rating(page, "rhythm", 3).is_checked()
    button(page, "Withdraw").click()
    page.keyboard.press("Escape")
    button(page, "Withdraw").click()
    button(page, "Delete my answers").click()
    at(page, "Your answers were deleted")
    with Study.open(folder) as study:
        assert study.progress()["consented"] == 0
    button(page, "Begin anew").click()
    button(page, "I agree").click()
    at(page, "Practice")
    assert page.locator("input:checked").count() == 0


def test_who_finished_elsewhere_is_told(page, folder):
    complete(page)
    token = tokens_of(folder)[0]
    with Study.open(folder) as study:
        for trial in study.subject(token).trials:
            study.answer(token, trial.id, changed="up", ratings=dict.fromkeys(ASPECTS, 1))
        study.finish(token)
    with page.expect_response("**/api/answer*") as found:
        rating(page, "rhythm", 1).check()
    assert found.value.status == 400
    at(page, "Thank you!")
    page.wait_for_selector("text=this subject has finished: answers can no longer be changed")


@pytest.mark.parametrize(("query", "message"), [("", "open the whole link"), ("?s=wrong", "belongs to no subject")])
def test_a_wrong_link_is_met_with_a_friendly_page(chromium, address, query, message):
    one = Page(chromium, address + query)
    page = one.open()
    at(page, "This test cannot be opened")
    page.wait_for_selector(f"text={message}")
    one.context.close()
    assert all("404" in complaint for complaint in one.complaints)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nobody_is_kept_out(tab, folder, scheme):
    one = tab(color_scheme=scheme, bypass_csp=True)
    page = one.page

    def check(heading):
        at(page, heading)
        for width, height in ((1280, 720), (390, 844)):
            page.set_viewport_size({"width": width, "height": height})
            assert one.violations() == []
            assert page.evaluate(FITS)

    page.wait_for_selector("text=I agree")
    one.add_axe()
    check("Before you begin")
    button(page, "I agree").click()
    check("Practice")
    complete(page)
    check("Practice")
    with Study.open(folder) as study:
        token = tokens_of(folder)[0]
        for trial in study.subject(token).trials:
            study.answer(token, trial.id, changed="up", ratings=dict.fromkeys(ASPECTS, 1))
    page.reload()
    at(page, "All answered")
    one.add_axe()
    button(page, "Withdraw").click()
    check("Withdraw from the test?")
    button(page, "Keep").click()
    check("All answered")
    button(page, "Finish").click()
    check("Thank you!")
