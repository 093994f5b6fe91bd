"""Stand-ins for Prefect's futures of steps."""

from __future__ import annotations

from prefect.states import Completed

from tasks.runs import recording
from tests.tasks.declaring import run_step


class Over:
    """A future that is over, as Prefect's."""

    def __init__(self, state, value=None):
        self.state, self.value = state, value

    def add_done_callback(self, call):
        call(self)

    def wait(self):
        pass

    def result(self, raise_on_failure=True):
        return self.value


class UnderWay(Over):
    def add_done_callback(self, call):
        pass


def done(store, step, text="x"):
    return Over(Completed(), run_step(store, step, 1, {}, {"text": text}, lambda work: (work.out / "file").write_text(text)))


def fail(store, output, error, **futures):
    with recording(store, output, "fold_0", {}) as record:
        for name, future in futures.items():
            record.follow(name, future, name.split()[-1])
        raise error
