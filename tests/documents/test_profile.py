"""What a bank wants, in TOML: what ships, what a house may write, and how a fault is told."""

from datetime import UTC, date, datetime

import msgspec
import pytest

from billing.documents.profile import Profile, load_profile, profile_from_text
from billing.refusal import BadFile

day = date.fromisoformat


def test_the_profile_that_ships_says_the_defaults():
    shipped = load_profile()
    assert shipped == msgspec.structs.replace(Profile(), about=shipped.about)
    assert load_profile("pain.008.001.02").schema == "pain.008.001.02"


def test_a_profile_goes_into_an_event_and_comes_back():
    profile = load_profile("pain.008.001.02")
    assert msgspec.json.decode(msgspec.json.encode(profile), type=Profile) == profile


def test_a_house_states_only_what_its_bank_wants(tmp_path):
    path = tmp_path / "ma-banque.toml"
    path.write_text('first = "RCUR"\nlead_days_b2b = 2\nmax_per_batch = 500\n')
    profile = load_profile(path)
    assert profile.name == "ma-banque"
    assert (profile.told("FRST"), profile.told("FNAL")) == ("RCUR", "FNAL")
    assert (profile.lead_days("CORE"), profile.lead_days("B2B")) == (1, 2)
    assert (profile.max_per_batch, profile.max_per_file) == (500, 100_000)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('schema = "pain.008.003.02"', 'bank.toml:1: schema = "pain.008.003.02": did you mean'),
        ('schema = "pain.001"\n', 'schema = "pain.001"'),
        ("lead_day_core = 2", 'lead_day_core: unknown key "lead_day_core"; did you mean "lead_'),
        ("lead_days_core = -1", "lead_days_core = -1: a negative number, at least 0 was expected"),
        ("lead_days_core = 15", "lead_days_core = 15: at most 14 was expected"),
        ('lead_days_core = "1"', 'lead_days_core = "1": a whole number was expected'),
        ("max_per_batch = 0", "max_per_batch = 0: 0, at least 1 was expected"),
        ("max_per_file = 2000000", "max_per_file = 2000000: at most 1000000 was expected"),
        ("name_length = 140", "name_length = 140: at most 70 was expected"),
        ("batch_booking = 1", "batch_booking = 1: true or false was expected"),
        ('cut_off = "25:00"', 'cut_off = "25:00": an hour of the day was expected'),
        ("cut_off = 12:00:00", "cut_off = 12:00:00: a text in quotes was expected"),
        ('smnda = "never"', 'smnda = "never": '),
        ("schema = ", "this is not TOML"),
    ],
)
def test_a_wrong_file_is_refused_with_the_line_the_key_and_what_was_expected(text, told):
    with pytest.raises(BadFile) as refused:
        profile_from_text(text, "bank.toml")
    assert "bank.toml:1: " in str(refused.value)
    assert told in str(refused.value)


def test_every_fault_is_told_at_once():
    with pytest.raises(BadFile) as refused:
        profile_from_text('first = "OOFF"\n\ncut_off = "noon"\nname_length = 3\n', "bank.toml")
    lines = str(refused.value).splitlines()
    assert [line.split(": ")[0] for line in lines] == ["bank.toml:1", "bank.toml:3", "bank.toml:4"]


def test_a_profile_that_is_not_there_is_told_with_those_that_are(tmp_path):
    with pytest.raises(BadFile, match='no profile "defalt"; did you mean "default"'):
        load_profile("defalt")
    with pytest.raises(BadFile, match=r"absent\.toml: there is no such file"):
        load_profile(tmp_path / "absent.toml")


@pytest.mark.parametrize(
    ("given_at", "lead_days", "earliest"),
    [
        ("2026-11-20T09:30", 1, "2026-11-23"),  # a Friday morning: Monday
        ("2026-11-20T11:59", 1, "2026-11-23"),
        ("2026-11-20T12:00", 1, "2026-11-24"),  # the cut-off is over: taken on Monday
        ("2026-11-21T23:00", 1, "2026-11-24"),  # a Saturday: taken on Monday
        ("2026-11-20T09:30", 0, "2026-11-20"),
        ("2026-11-20T09:30", 2, "2026-11-24"),
        # Taken Thursday 24; 25 and 26 December and the weekend are closed, Monday is the next.
        ("2026-12-24T09:00", 1, "2026-12-28"),
        ("2026-04-02T14:00", 1, "2026-04-08"),  # Good Friday, Easter Monday: taken Tuesday 7
    ],
)
def test_the_first_day_a_file_may_collect_on_counts_target_days(given_at, lead_days, earliest):
    profile = Profile(lead_days_core=lead_days)
    assert profile.earliest(datetime.fromisoformat(given_at), "CORE") == day(earliest)


def test_the_cut_off_is_an_hour_of_paris():
    profile = Profile()
    # 10:59 and 11:00 UTC are 11:59 and 12:00 in winter.
    winter = [datetime(2026, 11, 20, 10, 59, tzinfo=UTC), datetime(2026, 11, 20, 11, tzinfo=UTC)]
    assert [profile.earliest(at, "CORE") for at in winter] == [day("2026-11-23"), day("2026-11-24")]
    # 22:30 UTC on Sunday is Monday in Paris.
    assert profile.earliest(datetime(2026, 7, 5, 22, 30, tzinfo=UTC), "B2B") == day("2026-07-07")


@pytest.mark.parametrize(
    ("collected_on", "lead_days", "latest"),
    [
        ("2026-12-01", 1, "2026-11-30"),
        ("2026-11-23", 1, "2026-11-20"),
        ("2026-12-28", 1, "2026-12-24"),
        ("2026-12-28", 2, "2026-12-23"),
        ("2026-11-23", 0, "2026-11-23"),
    ],
)
def test_the_last_day_to_hand_a_file_over_is_the_other_way_round(collected_on, lead_days, latest):
    profile = Profile(lead_days_b2b=lead_days)
    last = profile.latest(day(collected_on), "B2B")
    assert last == day(latest)
    morning = datetime.combine(last, datetime.min.time())
    assert profile.earliest(morning, "B2B") == day(collected_on)
