"""sc-neurocore plan: the fewest bits at which each source keeps the accuracy of a network."""

from __future__ import annotations

import argparse
import sys

from sc_neurocore.cli._common import (
    FailedCheckError,
    accuracy_object,
    emit,
    executor_of,
    load_images,
    load_network,
    seeds_of,
)
from sc_neurocore.evidence import plan
from sc_neurocore.evidence.evaluation import SOURCES


def run_plan(options: argparse.Namespace) -> None:
    """Print the plan of each source; fail if no source keeps the accuracy."""
    seeds = seeds_of(options)
    network, (images, labels) = load_network(options), load_images(options)
    with executor_of(options.processes, options.dask) as executor:
        plans = plan(
            network,
            images,
            labels,
            options.max_loss,
            sources={name: SOURCES[name] for name in options.source},
            seeds=seeds,
            confidence=options.confidence,
            lengths=options.lengths,
            bits_per_step=options.bits_per_step,
            executor=executor,
            progress=sys.stderr.isatty(),
        )
    for row in plans:
        if options.json:
            last = accuracy_object(row.source, row.tried[-1])
            keeps = {"keeps": row.length is not None, "sure": row.sure, "loss_interval": row.interval}
            emit(last | {"max_loss": row.max_loss} | keeps)
        else:
            print(row)
    if all(row.length is None for row in plans):
        raise FailedCheckError(f"no length that was tried loses at most {options.max_loss} of accuracy")
