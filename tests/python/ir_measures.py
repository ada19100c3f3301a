"""Prints the figures of ir-measures for a TREC run and TREC qrels as one JSON document.

usage: ir_measures.py RUN QRELS

Means run over the queries with at least one relevant document; one that the run lacks counts 0.
"""

import json
import os
import sys

# This file has the name of the package: the package must be found first.
sys.path.remove(os.path.dirname(os.path.abspath(__file__)))

import ir_measures
from ir_measures import RR, R, nDCG

NAMES = {nDCG @ 10: "ndcg_at_10", R @ 100: "recall_at_100", RR @ 10: "mrr_at_10"}


def main(run_path: str, qrels_path: str) -> None:
    qrels = list(ir_measures.read_trec_qrels(qrels_path))
    judged = {judgement.query_id for judgement in qrels if judgement.relevance > 0}
    qrels = [judgement for judgement in qrels if judgement.query_id in judged]
    run = [scored for scored in ir_measures.read_trec_run(run_path) if scored.query_id in judged]
    means, metrics = ir_measures.calc(list(NAMES), qrels, run)
    queries = {}
    for metric in metrics:
        queries.setdefault(metric.query_id, {})[NAMES[metric.measure]] = metric.value
    mean = {NAMES[measure]: value for measure, value in means.items()}
    json.dump({"mean": mean, "queries": queries}, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
