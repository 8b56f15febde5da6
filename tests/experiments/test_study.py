"""Workers that share a study: who trains what, dead workers, a storage that fails, is lost or is none."""

import os
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

pytest.importorskip("optuna")

from optuna.trial import TrialState

from relational_rnn.experiments.factors import Range
from relational_rnn.experiments.storage import Place
from relational_rnn.experiments.study import Claim, Plan, SharedStudy, StorageLost

FACTORS = {"learning_rate": Range(1e-4, 1e-2, log=True), "num_heads": (1, 2), "steps": Range(10, 30, step=5)}
POINTS = [{"num_heads": heads, "use_mlp": mlp} for heads in (1, 2) for mlp in (True, False)]
GRACE = 20

# Workers are threads here, which share the filters; in the commands they are processes.
pytestmark = pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")

needs_posix = pytest.mark.skipif(os.name == "nt", reason="pipes and devices")


@pytest.fixture
def place(tmp_path):
    return Place(str(tmp_path / "study.db"), "ours", GRACE)


def search(trials=5, factors=FACTORS, **experiment):
    return Plan({"task": "sorting", **experiment}, factors, trials, "rmc")


def grid(points=POINTS):
    return Plan(
        {"task": "sorting"}, {"num_heads": (1, 2), "use_mlp": (True, False)}, len(points), "rmc", points
    )


def runs_of(score=0.5):
    return [{"seed": 0, "models": {"rmc": {"validation_accuracy": score, "task_share": 1.0}}}]


def wait_for(found):
    """Wait until a function returns something, and return it."""
    deadline = time.monotonic() + 60
    while not (result := found()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return result


def never():
    return False


def train(claim, stopped):
    """Train in no time; what counts depends on the values, as in a search."""
    return runs_of(claim.values.get("learning_rate", 0.5))


def work_together(studies, train=train):
    """Let workers train until the study has all its trials, each in a thread of its own."""
    with ThreadPoolExecutor(len(studies)) as threads:
        for done in [threads.submit(study.work, train, never) for study in studies]:
            done.result(timeout=120)


class Killed(BaseException):
    """Ends a worker as a kill does: no more heartbeats, and nothing is told."""


def die(claim, stopped):
    raise Killed


@pytest.mark.parametrize("plan", [search(), grid()], ids=["search", "grid"])
def test_workers_share_the_trials(place, plan):
    trained = []

    def note(claim, stopped):
        trained.append(claim)
        time.sleep(0.02)
        return train(claim, stopped)

    patient = place._replace(grace=120)  # nobody dies, and a busy machine may be late
    studies = [SharedStudy(patient, plan, owner) for owner in ("one", "two", "three")]
    work_together(studies, note)
    found = studies[0].finished()
    assert found == studies[1].finished() == studies[2].finished()
    assert [claim.index for claim, _ in found] == list(range(plan.trials))
    assert sorted(trained, key=lambda claim: claim.index) == [claim for claim, _ in found]  # none twice
    if plan.points is not None:
        assert [claim.values for claim, _ in found] == POINTS
        return
    for claim, runs in found:
        assert runs == runs_of(claim.values["learning_rate"])
        assert 1e-4 <= claim.values["learning_rate"] <= 1e-2
        assert claim.values["num_heads"] in (1, 2)
        assert claim.values["steps"] in (10, 15, 20, 25, 30)


@pytest.mark.slow
def test_a_search_repeats_itself_stopped_or_not(tmp_path):
    plan, stops = search(13), (3, 11)  # from the 11th trial on TPE looks at what came before
    first = SharedStudy(Place(str(tmp_path / "first.db"), "ours", GRACE), plan)
    first.work(train, never)

    calls, asked = iter(range(100)), threading.Event()

    def train_or_stop(claim, stopped):
        if next(calls) in stops:
            asked.set()
            return None
        return train(claim, stopped)

    for _ in range(1 + len(stops)):
        asked.clear()
        again = SharedStudy(Place(str(tmp_path / "again.db"), "ours", GRACE), plan, "me")
        again.take_up([])
        again.work(train_or_stop, asked.is_set)
    assert len(again.finished()) == 13
    assert again.finished() == first.finished()


def test_another_seed_searches_elsewhere(tmp_path):
    found = []
    for seed in (0, 1):
        place = Place(str(tmp_path / str(seed)), "ours", GRACE)
        study = SharedStudy(place, search(2)._replace(seed=seed))
        study.work(train, never)
        found.append([claim.values for claim, _ in study.finished()])
    assert found[0] != found[1]


@pytest.mark.parametrize("heard", [True, False], ids=["after its first heartbeat", "before it"])
def test_a_dead_workers_trial_is_given_to_another(place, heard):
    place = place._replace(grace=1)
    dead, alive = (SharedStudy(place, search(2), owner) for owner in ("dead", "alive"))
    claims = []

    def train_until_killed(claim, stopped):
        claims.append(claim)
        wait_for(lambda: "worker" in dead._running()[0].user_attrs)
        raise Killed

    if heard:
        with pytest.raises(Killed):
            dead.work(train_until_killed, never)
    else:
        assert dead._wait_for_trial(never)
        with pytest.warns(UserWarning, match="Heartbeat"):
            dead._study.ask()
    alive.work(train, never)
    found = [claim for claim, _ in alive.finished()]
    assert len(found) == 2
    assert claims == ([found[0]] if heard else [])  # what had been chosen is trained


def test_a_worker_that_was_only_slow_stops(place):
    slow, other = (SharedStudy(place._replace(grace=2), search(1), owner) for owner in ("slow", "other"))
    ended = []

    def train_slowly(claim, stopped):
        (attempt,) = other._running()
        other._study.tell(attempt.number, state=TrialState.FAIL)  # as if no heartbeat had come
        wait_for(stopped)
        other.work(train, never)
        ended.append(claim)

    slow.work(train_slowly, never)
    assert len(ended) == 1
    assert slow.finished() == other.finished() == [(ended[0], train(ended[0], never))]


def test_a_worker_that_beats_keeps_its_trial(place):
    place, trained = place._replace(grace=2), []
    busy, other = (SharedStudy(place, grid(POINTS[:1]), owner) for owner in ("busy", "other"))

    def train_long(claim, stopped):
        trained.append(claim)
        time.sleep(2.5 * place.grace)
        assert not stopped()
        return train(claim, stopped)

    work_together([busy, other], train_long)
    assert len(trained) == 1


def test_a_search_does_not_train_the_same_twice(place):
    study, trained = SharedStudy(place, search(6, {"num_heads": (1, 2)})), []

    def note(claim, stopped):
        trained.append(claim.values["num_heads"])
        return runs_of(claim.values["num_heads"] / 10)

    study.work(note, never)
    assert sorted(trained) == [1, 2]
    assert len(study.finished()) == 6
    for claim, runs in study.finished():
        assert runs == runs_of(claim.values["num_heads"] / 10)


@pytest.mark.parametrize("score", [float("nan"), None], ids=["no score", "diverged"])
def test_a_search_without_a_score_ends(place, score):
    study = SharedStudy(place, search(3))
    found = [{"seed": 0, "models": {}, "diverged": {"rmc": "nan"}}] if score is None else runs_of(score)
    study.work(lambda claim, stopped: found, never)
    assert len(study.finished()) == 3


def test_a_training_that_fails_is_taken_up_again(place):
    plan, failing, claims = search(2), SharedStudy(place, search(2), "me"), []

    def fail(claim, stopped):
        claims.append(claim)
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        failing.work(fail, never)
    study = SharedStudy(place, plan, "me")
    study.take_up([])
    study.work(train, never)
    assert study.finished()[0] == (claims[0], train(claims[0], never))


@pytest.mark.parametrize("plan", [search(3), grid()], ids=["search", "grid"])
def test_what_a_command_has_goes_into_a_new_study(place, plan):
    values = POINTS[:2] if plan.points else [{"learning_rate": 0.005, "num_heads": 2, "steps": 15}] * 2
    ended, begun = (Claim(index, given) for index, given in enumerate(values))
    trained = []

    def note(claim, stopped):
        trained.append(claim)
        return train(claim, stopped)

    study = SharedStudy(place, plan, "me")
    for _ in range(2):  # the second time they are there
        study.take_up([(ended, runs_of(0.7)), (begun, None)])
    study.work(note, never)
    found = study.finished()
    assert found[0] == (ended, runs_of(0.7))
    assert found[1][0] == begun
    assert ended not in trained
    assert len(found) == plan.trials


@pytest.mark.parametrize("how", ["removed", "emptied", "replaced"])
def test_a_lost_storage(place, how):
    def lose(claim, stopped):
        os.unlink(place.storage)
        if how == "emptied":
            sqlite3.connect(place.storage).close()
            open(place.storage, "w").close()
        if how == "replaced":
            SharedStudy(place, search(2), "others")
        wait_for(stopped)

    place = place._replace(grace=2)
    study, start = SharedStudy(place, search(2), "me"), time.monotonic()
    with pytest.raises(StorageLost, match=r"the storage .*study\.db cannot be used any more: \S"):
        study.work(lose, never)
    assert time.monotonic() - start < 9 * place.grace  # most of it is not the storage's on a busy machine
    assert os.path.exists(place.storage) == (how != "removed")
    if how != "replaced":
        with pytest.raises(StorageLost):
            study.finished()


def test_a_storage_that_fails_briefly(place):
    study, away, trained = SharedStudy(place, search(2), "me"), place.storage + ".away", []

    def train_meanwhile(claim, stopped):
        trained.append(claim)
        if len(trained) == 1:
            os.rename(place.storage, away)
            threading.Timer(0.6, os.rename, (away, place.storage)).start()
        return train(claim, stopped)  # cannot be told at first

    study.work(train_meanwhile, never)
    first, second = (claim for claim, _ in study.finished())
    assert trained == [first, first, second]  # a run folder has what is trained again


def test_a_worker_that_was_suspended_goes_on(place):
    study, trained = SharedStudy(place, search(2), "me"), []

    def train_or_sleep(claim, stopped):
        trained.append(claim)
        if len(trained) > 1:
            return train(claim, stopped)
        wait_for(lambda: "worker" in study._running()[0].user_attrs)  # it has beaten
        study._database.used -= place.grace
        assert stopped()
        return None

    study.work(train_or_sleep, never)
    first, second = (claim for claim, _ in study.finished())
    assert trained == [first, first, second]


@pytest.mark.slow
def test_a_storage_that_takes_no_result(place, monkeypatch):
    study = SharedStudy(place._replace(grace=2), search(2), "me")

    def refuse(trial, name, value):
        raise OSError("too long")

    monkeypatch.setattr("optuna.trial.Trial.set_user_attr", refuse)
    with pytest.raises(StorageLost, match=r"study\.db cannot be used any more: too long"):
        study.work(train, never)


@pytest.mark.slow
def test_commands_that_open_a_new_study_at_once(tmp_path):
    code = """
import sys
from relational_rnn.experiments.storage import Place
from relational_rnn.experiments.study import Plan, SharedStudy
for line in sys.stdin:
    SharedStudy(Place(line.strip(), "ours"), Plan({"task": "sorting"}, {"num_heads": (1, 2)}, 2, "rmc"))
    print("opened", flush=True)
"""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1}
    workers = [subprocess.Popen([sys.executable, "-c", code], **pipes) for _ in range(2)]
    for number in range(4):  # what they import takes longer than to open: the first study is a rehearsal
        for worker in workers:
            worker.stdin.write(f"{tmp_path / str(number)}.db\n")
        assert [worker.stdout.readline() for worker in workers] == ["opened\n"] * 2
    for worker in workers:
        worker.communicate(timeout=60)


@pytest.mark.parametrize(
    ("storage", "message"),
    [
        ("notes.txt", "notes.txt' cannot be used as the storage of a study: file is not a database"),
        (".", r"'\.' cannot be .*: \. is a folder"),
        ("nowhere/x/../y.db", "nowhere"),
        ("", "'' cannot be .*: give the path of a file or the URL of a database"),
        ("sqlite://", "'sqlite://' cannot be .*: workers share a file"),
        ("sqlite:///:memory:", "cannot be .*: workers share a file"),
        ("sqlite:///file:x?mode=memory&uri=true", "cannot be .*: workers share a file"),
        ("sqlite:///.", r"cannot be .*: \. is a folder"),
        ("nosql://me:secret@host/x", "'nosql://me@host/x' cannot be .*nosql"),
        ("postgresql+nodriver://me:secret@host/x", "nodriver"),
        (
            "postgresql://me:se:cret@ho:st/x",
            "'postgresql://...' cannot be .*: SQLAlchemy cannot read this URL",
        ),
        pytest.param("pipe", r"pipe is a pipe \(FIFO\)", marks=needs_posix),
        pytest.param("sqlite:///pipe", r"pipe is a pipe \(FIFO\)", marks=needs_posix),
        pytest.param("/dev/null", "null is a device", marks=needs_posix),
    ],
)
def test_what_is_no_storage(tmp_path, monkeypatch, storage, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.txt").write_text("not a database\n" * 100)
    if os.name != "nt":
        os.mkfifo("pipe")
    there = set(tmp_path.iterdir())
    with pytest.raises(ValueError, match=message) as error:
        SharedStudy(Place(storage, "ours", GRACE), search())
    assert "cret" not in str(error.value)
    assert "\n" not in str(error.value)
    assert set(tmp_path.iterdir()) == there


def test_a_server_that_is_not_there_keeps_its_password(monkeypatch):
    pytest.importorskip("psycopg2")
    monkeypatch.setattr("relational_rnn.experiments.study.OPENINGS", 2)
    with pytest.raises(ValueError, match="postgresql://me@localhost:1/db' cannot be used") as error:
        SharedStudy(Place("postgresql://me:secret@localhost:1/db", "ours", GRACE), search())
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("name", ["with space", "100%", "a?b#c", "{braces}", "ünïcode"])
def test_files_of_any_name(tmp_path, name):
    if os.name == "nt" and "?" in name:
        pytest.skip("no name there")
    SharedStudy(Place(str(tmp_path / name), "ours", GRACE), search())
    assert sqlite3.connect(tmp_path / name).execute("SELECT study_name FROM studies").fetchall() == [
        ("ours",)
    ]


def test_a_study_with_another_plan(place):
    SharedStudy(place, search(2, steps=5, config="tiny"))
    with pytest.raises(
        ValueError, match=r"another plan \(steps: 5 there, 6 now\); name another with --study"
    ):
        SharedStudy(place, search(2, steps=6, config="tiny"))
    SharedStudy(place._replace(name="another"), search(2, steps=6))


@pytest.mark.parametrize(
    ("storage", "shown"),
    [
        ("postgresql://me:secret@host:5432/db", "postgresql://me@host:5432/db"),
        ("postgresql://me:sec@ret@host/db", "postgresql://me@host/db"),
        ("postgresql://host/db?user=me&password=secret", "postgresql://host/db"),
        ("mysql+pymysql://me:sec/ret@host/db", "mysql+pymysql://me@host/db"),
        ("postgresql://me:secret@host:port/db", "postgresql://..."),
        ("sqlite:///runs/a.db", "sqlite:///runs/a.db"),
        ("runs/study.db", "runs/study.db"),
    ],
)
def test_passwords_are_not_shown(storage, shown):
    assert Place(storage, "ours").shown == shown
