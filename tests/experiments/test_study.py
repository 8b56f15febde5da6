"""Workers that share a study: who gets which trial, a dead worker's trial, a lost storage."""

import itertools
import os
import time

import pytest

pytest.importorskip("optuna")

from relational_rnn.experiments.factors import Range
from relational_rnn.experiments.study import Place, Plan, SharedStudy, StorageLost

FACTORS = {"learning_rate": Range(1e-4, 1e-2, log=True), "num_heads": (1, 2), "steps": Range(10, 30, step=5)}
POINTS = [{"num_heads": heads, "use_mlp": mlp} for heads in (1, 2) for mlp in (True, False)]
GRACE = 0.4


@pytest.fixture(params=["journal", "database"])
def place(request, tmp_path):
    if request.param == "journal":
        return Place(str(tmp_path / "study.journal"), "ours", GRACE)
    return Place(f"sqlite:///{tmp_path / 'study.db'}", "ours", GRACE)


@pytest.fixture
def journal(tmp_path):
    return tmp_path / "study.journal"


def search(trials, **experiment):
    return Plan({"task": "sorting", **experiment}, FACTORS, trials)


def grid():
    return Plan({"task": "sorting"}, {"num_heads": (1, 2), "use_mlp": (True, False)}, len(POINTS), POINTS)


def runs(score=0.5):
    return [{"seed": 0, "trivial_accuracy": 0.3, "models": {"rmc": {"validation_accuracy": score}}}]


def wait_for(found):
    """Wait until a function returns something, and return it."""
    deadline = time.monotonic() + 60
    while not (result := found()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return result


def take_a_returned_trial(study):
    study.return_dead()
    return study.claim()


def test_two_workers_share_the_trials_of_a_search(place):
    workers = [SharedStudy(place, search(5)) for _ in range(2)]
    claims = [worker.claim() for _, worker in zip(range(5), itertools.cycle(workers))]
    assert [claim.number for claim in claims] == [0, 1, 2, 3, 4]
    assert len({claim.values["learning_rate"] for claim in claims}) == 5
    for claim in claims:
        assert 1e-4 <= claim.values["learning_rate"] <= 1e-2
        assert claim.values["num_heads"] in (1, 2)
        assert claim.values["steps"] in (10, 15, 20, 25, 30)
    for worker in workers:
        assert worker.claim() is None
        assert worker.finished() == []
    for claim, worker in zip(claims, itertools.cycle(workers)):
        worker.tell(claim, runs(claim.number / 10), claim.number / 10)
    first, second = (worker.finished() for worker in workers)
    assert first == second
    assert [trial["values"] for trial in first] == [claim.values for claim in claims]
    assert first[3]["runs"] == runs(0.3)


def test_a_search_repeats_itself(tmp_path):
    found = []
    for name in ("one", "two"):
        study = SharedStudy(Place(str(tmp_path / name), "ours", GRACE), search(3))
        claims = []
        for _ in range(3):
            claims.append(study.claim())
            study.tell(claims[-1], runs(), claims[-1].values["learning_rate"])
        found.append([claim.values for claim in claims])
    assert found[0] == found[1]


def test_two_workers_share_a_product(place):
    first, second = (SharedStudy(place, grid()) for _ in range(2))
    claims = [worker.claim() for worker in (first, second, second, first)]
    assert first.claim() is None
    assert second.claim() is None
    assert sorted(map(str, (claim.values for claim in claims))) == sorted(map(str, POINTS))


def test_points_put_in_twice_are_trained_once(journal):
    place = Place(str(journal), "ours", GRACE)
    first, second = (SharedStudy(place, grid()) for _ in range(2))
    before = first._trials()  # both workers see an empty study and put all points in
    first._enqueue_missing(before)
    second._enqueue_missing(before)
    claims = [worker.claim() for worker in (first, second, first, second, first, second)]
    assert claims[4:] == [None, None]
    assert sorted(str(claim.values) for claim in claims[:4]) == sorted(map(str, POINTS))


@pytest.mark.parametrize("plan", [search(2), grid()], ids=["search", "product"])
def test_a_dead_workers_trial_is_returned(place, plan):
    dead, alive = (SharedStudy(place, plan) for _ in range(2))
    lost = dead.claim()
    for _ in range(plan.trials - 1):
        claim = alive.claim()
        alive.tell(claim, runs(), 0.5)
    assert alive.claim() is None
    again = wait_for(lambda: take_a_returned_trial(alive))
    assert again.values == lost.values
    assert again.token != lost.token
    dead.tell(lost, runs(0.9), 0.9)  # it was not dead, only slow: too late
    alive.tell(again, runs(0.4), 0.4)
    assert [trial["token"] for trial in alive.finished()].count(again.token) == 1
    assert len(alive.finished()) == plan.trials
    assert lost.token not in [trial["token"] for trial in alive.finished()]


def test_a_worker_that_beats_keeps_its_trial(journal):
    place = Place(str(journal), "ours", grace=1.5)
    busy, other = (SharedStudy(place, search(1)) for _ in range(2))
    claim = busy.claim()
    with busy.beating(claim) as heart:
        end = time.monotonic() + 2 * place.grace
        while time.monotonic() < end:
            assert take_a_returned_trial(other) is None
            time.sleep(0.1)
        assert not heart.in_vain
    assert wait_for(lambda: take_a_returned_trial(other)).values == claim.values  # now it is silent
    with busy.beating(claim) as heart:
        assert wait_for(lambda: heart.returned)


def test_a_search_does_not_train_the_same_twice(journal):
    plan = Plan({}, {"num_heads": (1, 2)}, 6)
    study, trained = SharedStudy(Place(str(journal), "ours", GRACE), plan), []
    while (claim := study.claim()) is not None:
        trained.append(claim.values["num_heads"])
        study.tell(claim, runs(claim.values["num_heads"] / 10), claim.values["num_heads"] / 10)
    assert sorted(trained) == [1, 2]
    assert len(study.finished()) == 6
    for trial in study.finished():
        assert trial["runs"] == runs(trial["values"]["num_heads"] / 10)


def test_the_states_of_trials(place):
    study = SharedStudy(place, search(2))
    first, second = study.claim(), study.claim()
    study.tell(first, runs(), 0.5)
    assert study.states([first.token, second.token, "nobody"]) == {
        first.token: (0, "COMPLETE"),
        second.token: (1, "RUNNING"),
    }


@pytest.mark.parametrize("plan", [search(3), grid()], ids=["search", "product"])
def test_finished_trials_go_into_a_new_study(place, plan):
    study = SharedStudy(place, plan)
    values = POINTS[2] if plan.points else {"learning_rate": 0.005, "num_heads": 2, "steps": 15}
    study.add(values, "abcd", runs(0.7), 0.7)
    assert study.finished() == [{"number": 0, "token": "abcd", "values": values, "runs": runs(0.7)}]
    claims = [study.claim() for _ in range(plan.trials - 1)]
    assert None not in claims
    assert values not in [claim.values for claim in claims]
    assert study.claim() is None


@pytest.mark.parametrize("how", ["removed", "emptied", "replaced"])
def test_a_lost_journal(journal, how):
    study = SharedStudy(Place(str(journal), "ours", GRACE), search(2))
    claim = study.claim()
    journal.unlink() if how != "emptied" else journal.write_text("")
    if how == "replaced":
        SharedStudy(Place(str(journal), "ours", GRACE), search(2)).claim()
    with pytest.raises(StorageLost, match=r"study\.journal"):
        study.tell(claim, runs(), 0.5)
    with study.beating(claim) as heart:
        wait_for(lambda: heart.in_vain)
    assert "study.journal" in str(heart.lost)
    if how == "removed":
        assert not journal.exists()


def test_a_lost_database(tmp_path):
    study = SharedStudy(Place(f"sqlite:///{tmp_path / 'study.db'}", "ours", GRACE), search(2))
    (tmp_path / "study.db").write_bytes(b"")
    with pytest.raises(StorageLost, match=r"study\.db cannot be used any more"):
        study.claim()


def test_what_is_no_storage(tmp_path):
    (tmp_path / "notes.txt").write_text("not a journal\nat all\n")
    for storage, message in [
        (tmp_path / "notes.txt", "notes.txt cannot be used as the storage of a study"),
        (tmp_path, "cannot be used as the storage of a study"),
        (tmp_path / "nowhere" / "x", "there is no folder"),
        ("nosql://me:secret@host/x", "nosql://me@host/x cannot be used"),
    ]:
        with pytest.raises(ValueError, match=message):
            SharedStudy(Place(str(storage), "ours", GRACE), search(2))


@pytest.mark.skipif(os.name == "nt", reason="pipes")
def test_a_pipe_is_no_storage(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match=r"pipe is a pipe \(FIFO\)"):
        SharedStudy(Place(str(tmp_path / "pipe"), "ours", GRACE), search(2))


def test_a_study_with_another_plan(place):
    SharedStudy(place, search(2, config={"steps": 5}))
    with pytest.raises(ValueError, match=r"another plan \(config: {'steps': 5} there, {'steps': 6} now\)"):
        SharedStudy(place, search(2, config={"steps": 6}))
    SharedStudy(place._replace(name="another"), search(2, config={"steps": 6}))


def test_passwords_are_not_shown():
    assert Place("postgresql://me:secret@host:5432/db", "x").shown == "postgresql://me@host:5432/db"
    assert Place("sqlite:///a.db", "x").shown == "sqlite:///a.db"
    assert Place("runs/study.journal", "x").shown == "runs/study.journal"
