"""Every network there is."""

from dataclasses import asdict

from tinyseg import plugins
from tinyseg.networks.registry import build, known
from tinyseg.runs.records import ModelsDocument, NetworkListed


def list_networks() -> ModelsDocument:
    """All registered networks with their parameters, for three channels and one class."""
    return ModelsDocument(networks=[_listed(name) for name in plugins.names("networks")])


def _listed(name: str) -> NetworkListed:
    network = known(name)
    return NetworkListed(
        name=name,
        task=network.task,
        family=network.family,
        parameters=sum(parameter.numel() for parameter in build(name).parameters()),
        paper=asdict(network.paper) if network.paper else None,
    )
