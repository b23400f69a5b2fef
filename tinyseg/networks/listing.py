"""Networks with what is known of them."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from tinyseg import plugins
from tinyseg.networks.registry import build, defaults, known
from tinyseg.runs.records import ModelsDocument, NetworkListed, PaperListed


def list_networks(names: Iterable[str] | None = None) -> ModelsDocument:
    """Networks, by default all registered ones.

    Raises:
        UsageError: a name that none has; the nearest one is suggested.
    """
    listed = plugins.names("networks") if names is None else names
    return ModelsDocument(networks=[_listed(name) for name in listed])


def _listed(name: str) -> NetworkListed:
    network = known(name)
    return NetworkListed(
        name=name,
        task=network.task,
        family=network.family,
        parameters=sum(p.numel() for p in build(name, classes=network.classes).parameters()),
        classes=network.classes,
        arguments={argument: _plain(value) for argument, value in defaults(network).items()},
        paper=PaperListed(**asdict(network.paper)) if network.paper else None,
        note=network.note,
    )


def _plain(value: Any) -> Any:
    """The value as JSON has it; what JSON does not know, such as a class, as its text."""
    return json.loads(json.dumps(value, default=str))
