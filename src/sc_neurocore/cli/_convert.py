"""sc-neurocore convert: networks between NIR graphs and files of Network.save."""

from __future__ import annotations

import argparse

from sc_neurocore import _checks
from sc_neurocore._files import check_distinct, check_writable
from sc_neurocore.cli._common import emit, load_network


def run_convert(options: argparse.Namespace) -> None:
    """Read a network of one format and write it in another."""
    out = options.out
    if out.suffix not in (".npz", ".nir"):
        _checks.fail("OUT", "end in .npz or .nir", repr(str(out)))
    check_writable("OUT", out)
    if options.network != "digits":
        check_distinct("OUT", out, "NETWORK", options.network)
    network = load_network(options, share_gain=options.share_gain)
    if out.suffix == ".npz":
        network.save(out)
    else:
        try:
            from sc_neurocore.exchange.nir import to_nir
        except ImportError as error:
            raise ImportError(_checks.missing_extra("writing a NIR graph", "nir", "nir")) from error
        to_nir(network, out)
    if options.json:
        emit({"network": network.shape, "layers": [repr(layer) for layer in network], "wrote": out})
        return
    for layer in network:
        print(layer)
    print(f"wrote {out}")
