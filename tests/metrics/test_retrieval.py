"""The metrics against a naive loop, against pytorch-metric-learning, and on inputs that break others."""

import math

import numpy as np
import pytest
import torch
from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator

from fashion_lab.metrics.retrieval import KEYS, leave_one_out, nearest, retrieval_scores
from fashion_lab.metrics.retrieval import means as averaged
from fashion_lab.metrics.retrieval_metric import RetrievalMetrics


def naive(queries, query_labels, gallery, labels, own, query_groups=None, groups=None):
    """One query at a time, one item at a time, in float64."""
    rows = []
    for q, query in enumerate(queries.double().tolist()):
        seen = []
        for g, item in enumerate(gallery.double().tolist()):
            if g == own[q] or (groups is not None and groups[g] == query_groups[q]):
                continue
            seen.append((math.dist(query, item), g, bool(labels[g] == query_labels[q])))
        found = [relevant for _, _, relevant in sorted(seen)]
        r = sum(found)
        if r == 0:
            continue
        precisions = [sum(found[: i + 1]) / (i + 1) for i in range(r)]
        shown = found[:5]
        map_at_r = sum(p for p, hit in zip(precisions, found, strict=False) if hit) / r
        rows.append((float(found[0]), sum(shown) / len(shown), map_at_r, sum(found[:r]) / r))
    means = np.mean(rows, axis=0) if rows else [math.nan] * 4
    return {**dict(zip(KEYS, means, strict=True)), "num_queries": len(rows)}


def same(ours, oracle):
    assert ours == pytest.approx(oracle, abs=1e-6, nan_ok=True)


def items(n=61, d=7, classes=4, senders=9, seed=0):
    draw = torch.Generator().manual_seed(seed)
    labels = torch.randint(classes, (n,), generator=draw)
    groups = torch.randint(senders, (n,), generator=draw)
    embeddings = torch.randn(n, d, generator=draw) + 0.8 * torch.eye(classes, d)[labels]
    return embeddings, labels, groups


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("hide", [False, True])
def test_leave_one_out_is_the_naive_loop(seed, hide):
    embeddings, labels, groups = items(seed=seed)
    groups = groups if hide else None
    oracle = naive(embeddings, labels, embeddings, labels, range(len(labels)), groups, groups)
    same(leave_one_out(embeddings, labels, groups), oracle)


@pytest.mark.parametrize("hide", [False, True])
def test_query_to_gallery_is_the_naive_loop(hide):
    queries, query_labels, query_groups = items(n=23, classes=6, seed=1)
    gallery, labels, groups = items(n=40, classes=5, seed=2)
    query_groups, groups = (query_groups, groups) if hide else (None, None)
    scores = retrieval_scores(
        queries, query_labels, gallery, labels, query_groups_Q=query_groups, gallery_groups_G=groups
    )
    ours = averaged(scores)
    same(ours, naive(queries, query_labels, gallery, labels, [-1] * 23, query_groups, groups))


def test_some_queries_are_in_the_gallery():
    gallery, labels, _ = items()
    own = torch.tensor([5, -1, 60, 0])
    queries, query_labels = gallery[[5, 7, 60, 0]], labels[[5, 7, 60, 0]]
    ours = averaged(retrieval_scores(queries, query_labels, gallery, labels, own_position_Q=own))
    same(ours, naive(queries, query_labels, gallery, labels, own.tolist()))


def exact_knn(queries, k, gallery, ref_includes_query):
    """What pytorch-metric-learning asks faiss for."""
    distances = torch.cdist(queries.double(), gallery.double())
    if ref_includes_query:
        distances.fill_diagonal_(torch.inf)
    distances, positions = distances.sort(dim=1, stable=True)
    return distances[:, :k], positions[:, :k]


@pytest.mark.parametrize("seed", range(3))
def test_equal_to_pytorch_metric_learning(seed):
    embeddings, labels, _ = items(n=200, classes=5, seed=seed)
    include = ("precision_at_1", "mean_average_precision_at_r", "r_precision")
    calculator = AccuracyCalculator(include=include, k="max_bin_count", knn_func=exact_knn)
    theirs = calculator.get_accuracy(embeddings, labels)
    ours = leave_one_out(embeddings, labels)
    theirs["map_at_r"] = theirs.pop("mean_average_precision_at_r")
    same({key: ours[key] for key in theirs}, theirs)


@pytest.mark.parametrize("pairs_at_once", [1, 60, 61, 62, 500, 2**22])
def test_chunks_change_nothing(pairs_at_once):
    embeddings, labels, groups = items()
    whole = leave_one_out(embeddings, labels, groups)
    assert leave_one_out(embeddings, labels, groups, pairs_at_once=pairs_at_once) == whole


def test_a_large_common_offset_changes_nothing():
    embeddings, labels, groups = items(n=300, d=16)
    embeddings = (embeddings * 1024).round() / 1024  # so that float32 holds the sum with 1000 exactly
    assert leave_one_out(embeddings + 1000, labels, groups) == leave_one_out(embeddings, labels, groups)


def test_ties_rank_by_position():
    gallery = torch.tensor([[2.0], [1.0], [1.0], [-1.0], [0.0], [0.0]])
    found = nearest(torch.cdist(torch.zeros(1, 1), gallery), 6)
    assert found.tolist() == [[4, 5, 1, 2, 3, 0]]
    many = torch.zeros(3, 5000)
    assert nearest(many, 70).tolist() == [list(range(70))] * 3


@pytest.mark.parametrize("seed", range(3))
def test_many_ties_are_the_naive_loop(seed):
    embeddings, labels, groups = items(n=80, d=2, seed=seed)
    embeddings = embeddings.round()
    oracle = naive(embeddings, labels, embeddings, labels, range(80), groups, groups)
    same(leave_one_out(embeddings, labels, groups), oracle)


def test_negative_embeddings_and_perfect_retrieval_score_one():
    labels = torch.arange(40) % 4
    scores = leave_one_out(-10.0 * torch.eye(4)[labels] - 5, labels)
    assert scores == {**dict.fromkeys(KEYS, 1.0), "num_queries": 40.0}


def test_opposite_of_perfect_scores_zero():
    points = torch.tensor([[0.0], [100.0], [1.0], [101.0]])
    scores = leave_one_out(points, torch.tensor([0, 0, 1, 1]))
    assert [scores[key] for key in ("precision_at_1", "map_at_r", "r_precision")] == [0, 0, 0]
    assert scores["precision_at_5"] == pytest.approx(1 / 3)


def test_collapsed_embeddings_score_chance_in_any_layout():
    for labels in (torch.arange(100) // 10, torch.arange(100) % 10):
        scores = leave_one_out(torch.full((100, 8), 3.7), labels)
        same(scores, naive(torch.zeros(100, 1), labels, torch.zeros(100, 1), labels, range(100)))
        assert scores["precision_at_1"] <= 0.11
        assert max(scores[key] for key in KEYS) <= 0.25


def test_one_item_per_class_has_no_answer():
    scores = leave_one_out(torch.randn(6, 3), torch.arange(6))
    assert scores["num_queries"] == 0
    assert all(math.isnan(scores[key]) for key in KEYS)


def test_queries_without_an_answer_are_left_out_and_counted():
    labels = torch.tensor([0, 0, 0, 1])
    assert leave_one_out(torch.randn(4, 3), labels)["num_queries"] == 3
    alone = torch.tensor([5, 5, 6, 7])  # the first two see only the third of their class
    assert leave_one_out(torch.randn(4, 3), labels, alone)["num_queries"] == 3
    assert leave_one_out(torch.randn(4, 3), labels, torch.zeros(4, dtype=torch.int64))["num_queries"] == 0


def test_fewer_than_five_visible():
    points, labels = torch.tensor([[0.0], [1.0], [5.0], [9.0]]), torch.tensor([0, 0, 0, 1])
    assert leave_one_out(points, labels)["precision_at_5"] == pytest.approx(2 / 3)


def test_bfloat16_is_scored_in_float32():
    embeddings, labels, _ = items(n=200, d=16)
    short = embeddings.bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert leave_one_out(short, labels) == leave_one_out(short.float(), labels)


@pytest.mark.parametrize("n", [0, 1])
def test_next_to_nothing(n):
    assert leave_one_out(torch.zeros(n, 3), torch.zeros(n, dtype=torch.int64))["num_queries"] == 0


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e30])
def test_what_cannot_be_ranked_is_refused(value):
    embeddings, labels, _ = items()
    embeddings[3, 2] = value
    with pytest.raises(ValueError, match=r"1 of 61 .* row 3"):
        leave_one_out(embeddings, labels)


def test_shapes_that_do_not_fit_are_refused():
    embeddings, labels, groups = items()
    with pytest.raises(ValueError, match="7 dimensions, the gallery 6"):
        retrieval_scores(embeddings, labels, embeddings[:, :6], labels)
    with pytest.raises(ValueError, match="labels have shape"):
        leave_one_out(embeddings, labels[:5])
    with pytest.raises(ValueError, match="both, or neither"):
        retrieval_scores(embeddings, labels, embeddings, labels, query_groups_Q=groups)


@pytest.mark.parametrize("with_groups", [False, True])
def test_the_shell_is_the_function(with_groups):
    embeddings, labels, groups = items()
    metric = RetrievalMetrics()
    for _ in range(2):  # a second epoch starts empty
        for part in torch.arange(61).split(10):
            metric.update(embeddings[part], labels[part], groups[part] if with_groups else None)
        scores = {key: value.item() for key, value in metric.compute().items()}
        metric.reset()
    expected = leave_one_out(embeddings, labels)
    if with_groups:
        hidden = leave_one_out(embeddings, labels, groups)
        expected |= {f"other_senders/{key}": value for key, value in hidden.items()}
    assert scores == pytest.approx(expected)


def test_the_shell_refuses_groups_now_and_then():
    metric = RetrievalMetrics()
    metric.update(*items()[:2])
    with pytest.raises(ValueError, match="always or never"):
        metric.update(*items())
