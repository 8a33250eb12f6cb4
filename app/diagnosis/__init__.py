"""What `speechclip doctor` finds: whether this installation, its settings, its model and its data are fit to serve.

It only looks: nothing is made, locked, repaired or written, and a service may run meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial

from app.diagnosis.configuration import check_settings, check_variables
from app.diagnosis.findings import Finding, failed
from app.diagnosis.machine import check_clock, check_data, check_device, check_memory
from app.diagnosis.model import check_model
from app.diagnosis.packages import check_engines, check_packages, check_python
from app.diagnosis.ports import check_ports
from app.diagnosis.stored import check_collections
from app.settings import Settings

Check = Callable[[], Iterable[Finding]]

__all__ = ["Finding", "diagnose"]


def diagnose(settings: Settings | None, environ: Mapping[str, str], refused: Iterable[Finding] = ()) -> list[Finding]:
    """Everything, in the order of what depends on what. Without settings, which are `refused`, as far as it goes."""
    checks: list[Check] = [check_python, check_packages, check_engines, check_device, partial(check_variables, environ)]
    if settings is not None:
        needing = (check_settings, check_memory, check_model, check_data, check_collections, check_ports)
        checks += [partial(check, settings) for check in needing]
    return [*_all(checks), *refused, *_all([check_clock])]


def _all(checks: Iterable[Check]) -> Iterator[Finding]:
    for check in checks:
        try:
            yield from check()
        # A broken installation breaks checks in ways that nobody foresaw, and the others are to be made still.
        except Exception as error:
            name = getattr(check, "func", check).__name__.removeprefix("check_")
            yield failed(
                name, f"could not be looked at: {type(error).__name__}: {error}", "install the project anew: ./run"
            )
