"""Days where the business is: every moment belongs to one day, also in nights that are cut short or repeated; and
dates that come again keep their day of the month."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import available_timezones

from hypothesis import example, given
from hypothesis import strategies as st

from billing.domain.calendar import day_bounds, day_of, day_start, next_occurrence, occurrence
from billing.domain.reminders import due_offset, period_start

ZONES = st.sampled_from(sorted(available_timezones()))
DAYS = st.dates(date(2000, 1, 1), date(2099, 12, 1))
MOMENTS = st.integers(1, 3_150_000_000).map(
    lambda seconds: datetime(2000, 1, 2, tzinfo=UTC) + timedelta(seconds=seconds)
)
FREQUENCIES = st.sampled_from(["weekly", "biweekly", "monthly"])


@given(moment=MOMENTS, zone=ZONES)
@example(moment=datetime(2026, 3, 8, 5, tzinfo=UTC), zone="America/Havana")  # midnight is skipped
@example(moment=datetime(2026, 11, 1, 4, 30, tzinfo=UTC), zone="America/Havana")  # the hour after it comes twice
@example(moment=datetime(2011, 12, 30, 10, tzinfo=UTC), zone="Pacific/Apia")  # the day before never was
@example(moment=datetime(2018, 11, 4, 3, tzinfo=UTC), zone="America/Sao_Paulo")
def test_a_moment_lies_within_its_day_and_no_other(moment: datetime, zone: str) -> None:
    day = day_of(moment, zone)
    begin, end = day_bounds(day, day, zone)
    assert begin <= moment < end
    for other in (day - timedelta(days=1), day + timedelta(days=1)):
        begin, end = day_bounds(other, other, zone)
        assert not begin <= moment < end


@given(day=DAYS, zone=ZONES)
def test_days_follow_each_other_without_a_gap(day: date, zone: str) -> None:
    assert day_bounds(day, day, zone)[1] == day_start(day + timedelta(days=1), zone)
    length = day_bounds(day, day, zone)[1] - day_bounds(day, day, zone)[0]
    assert timedelta() <= length <= timedelta(hours=27)


@given(anchor=DAYS, frequency=FREQUENCIES, number=st.integers(0, 200))
def test_repetitions_rise_and_months_keep_their_day(anchor: date, frequency: str, number: int) -> None:
    this, following = (occurrence(anchor, frequency, n) for n in (number, number + 1))  # type: ignore[arg-type]
    assert this < following
    if frequency == "monthly":
        assert this.day == anchor.day or (this + timedelta(days=1)).day == 1
    else:
        assert (following - this).days == {"weekly": 7, "biweekly": 14}[frequency]


def test_the_31st_comes_back_after_february() -> None:
    days = [occurrence(date(2028, 1, 31), "monthly", number) for number in range(4)]
    assert days == [date(2028, 1, 31), date(2028, 2, 29), date(2028, 3, 31), date(2028, 4, 30)]
    assert occurrence(date(2027, 2, 28), "monthly", 12) == date(2028, 2, 28)


@given(anchor=DAYS, frequency=FREQUENCIES, ahead=st.integers(-400, 4_000))
def test_the_next_one_is_the_first_after_the_day(anchor: date, frequency: str, ahead: int) -> None:
    after = anchor + timedelta(days=ahead)
    found = next_occurrence(anchor, frequency, after)  # type: ignore[arg-type]
    assert found > after
    all_of_them = [occurrence(anchor, frequency, number) for number in range(600)]  # type: ignore[arg-type]
    assert found == next(day for day in all_of_them if day > after)


@given(due=DAYS, offsets=st.lists(st.integers(-60, 365), max_size=6), passed=st.integers(-90, 500))
def test_the_latest_offset_reached_is_due(due: date, offsets: list[int], passed: int) -> None:
    found = due_offset(due, offsets, due + timedelta(days=passed))
    assert found == max((offset for offset in offsets if offset <= passed), default=None)


@given(since=DAYS, every=st.integers(1, 365), passed=st.integers(0, 5_000))
def test_a_period_holds_its_day(since: date, every: int, passed: int) -> None:
    today = since + timedelta(days=passed)
    start = period_start(since, every, today)
    assert start <= today < start + timedelta(days=every)
    assert (start - since).days % every == 0
