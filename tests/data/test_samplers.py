from collections import Counter

import numpy as np
import pytest

from fashion_lab.data.samplers import BalancedSampler, ShuffleSampler, TripletSampler

LABELS = np.array(
    [5, 5, 2, 2, 2, 2, 9, 9, 9, 2, 5, 5, 9, 9, 9, 9, 2, 2, 5, 5, 5]
)  # 7, 7 and 7, neither sorted
POSITIONS = np.arange(21) * 3 + 100  # positions in a catalog are neither 0 .. N-1 nor rows
LABEL_OF = dict(zip(POSITIONS.tolist(), LABELS.tolist(), strict=True))


def shuffled(**options):
    return ShuffleSampler(**{"positions": POSITIONS, "labels": LABELS, "seed": 3, "batch_size": 4} | options)


def triplets(**options):
    return TripletSampler(**{"positions": POSITIONS, "labels": LABELS, "seed": 3, "batch_size": 4} | options)


def balanced(**options):
    sizes = {"classes_per_batch": 2, "pictures_per_class": 3}
    return BalancedSampler(**{"positions": POSITIONS, "labels": LABELS, "seed": 3} | sizes | options)


def drawn(sampler, epochs):
    """All (anchor, positive, negative) of so many epochs, as positions in the catalog."""
    for epoch in range(epochs):
        for batch in sampler.batches(epoch):
            yield from batch.indices[batch.triplets].T.tolist()


def is_uniform(counts, kinds):
    """Chi-square over so many kinds, five standard deviations above its mean."""
    expected = sum(counts.values()) / kinds
    assert expected > 20, "too few draws to tell"
    chi_square = sum((counts[kind] - expected) ** 2 / expected for kind in counts)
    chi_square += (kinds - len(counts)) * expected
    return chi_square < (kinds - 1) + 5 * np.sqrt(2 * (kinds - 1))


def flat(batches):
    return [
        (batch.indices.tolist(), batch.triplets is not None and batch.triplets.tolist()) for batch in batches
    ]


@pytest.mark.parametrize("make", [shuffled, triplets, balanced])
def test_batches_are_a_function_of_seed_and_epoch(make):
    first = make()
    batches = flat(first.batches(4))
    list(first.batches(0))
    np.random.default_rng().random()
    assert flat(first.batches(4)) == batches == flat(make().batches(4))
    assert flat(first.batches(5)) != batches
    assert flat(make(seed=4).batches(4)) != batches
    assert flat(make(seed=0).batches(4)) != batches
    assert len(batches) == len(first)


@pytest.mark.parametrize("make", [shuffled, triplets, balanced])
def test_indices_and_triplets_fit_the_contract(make):
    for batch in make().batches(0):
        assert batch.indices.dtype == np.int64
        assert set(batch.indices.tolist()) <= set(LABEL_OF)
        if batch.triplets is not None:
            assert batch.triplets.dtype == np.int64
            assert batch.triplets.shape[0] == 3
            assert 0 <= batch.triplets.min() <= batch.triplets.max() < len(batch.indices)


@pytest.mark.parametrize(
    ("count", "batch_size", "sizes"),
    [
        (21, 4, [4, 4, 4, 4, 5]),
        (20, 4, [4] * 5),
        (19, 4, [4, 4, 4, 4, 3]),
        (3, 4, [3]),
        (4, 4, [4]),
        (5, 4, [5]),
        (2, 2, [2]),
    ],
)
def test_shuffle_gives_each_picture_once_and_none_alone(count, batch_size, sizes):
    sampler = shuffled(positions=POSITIONS[:count], labels=LABELS[:count], batch_size=batch_size)
    batches = sampler.batches(0)
    assert [len(batch.indices) for batch in batches] == sizes
    assert len(sampler) == len(sizes)
    assert sorted(np.concatenate([batch.indices for batch in batches])) == POSITIONS[:count].tolist()


def test_shuffle_is_uniform_over_places():
    sampler = shuffled(batch_size=3)
    firsts = Counter(int(sampler.batches(epoch)[0].indices[0]) for epoch in range(1500))
    assert is_uniform(firsts, 21)


def test_triplets_against_a_naive_look():
    for anchor, positive, negative in drawn(triplets(), 50):
        assert positive != anchor
        assert LABEL_OF[positive] == LABEL_OF[anchor] != LABEL_OF[negative]


def test_each_anchor_once_an_epoch():
    for epoch in range(3):
        batches = triplets().batches(epoch)
        anchors = np.concatenate([batch.indices[batch.triplets[0]] for batch in batches])
        assert sorted(anchors) == POSITIONS.tolist()
        assert [len(batch.indices) for batch in batches] == [12, 12, 12, 12, 15]


def test_a_triplet_batch_is_anchors_then_positives_then_negatives():
    batch = triplets().batches(0)[0]
    assert batch.triplets.tolist() == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]


def test_batches_of_one_anchor_are_allowed_where_asked_for():
    assert [len(batch.indices) for batch in triplets(batch_size=1).batches(0)] == [3] * 21


def test_positives_and_negatives_are_uniform():
    seen = list(drawn(triplets(batch_size=21), 400))
    anchor = int(POSITIONS[4])
    mine = [(positive, negative) for a, positive, negative in seen if a == anchor]
    assert is_uniform(Counter(positive for positive, _ in mine), 6)
    assert is_uniform(Counter(negative for _, negative in mine), 14)


def test_a_negative_is_uniform_over_classes_first():
    labels = np.array([0] * 4 + [1] * 2 + [2] * 40)
    sampler = TripletSampler(positions=np.arange(46), labels=labels, seed=0, batch_size=8)
    classes = Counter(int(labels[n]) for a, _, n in drawn(sampler, 100) if labels[a] == 0)
    assert is_uniform(classes, 2)
    assert set(classes) == {1, 2}


def test_positives_of_a_class_of_two_are_the_other_one():
    labels = np.array([0, 1, 1, 0])
    sampler = TripletSampler(positions=np.arange(4), labels=labels, seed=0, batch_size=2)
    assert {(a, p) for a, p, _ in drawn(sampler, 10)} == {(0, 3), (3, 0), (1, 2), (2, 1)}


def test_balanced_batches_are_classes_by_pictures():
    for epoch in range(20):
        for batch in balanced().batches(epoch):
            per_class = Counter(LABEL_OF[position] for position in batch.indices.tolist())
            assert sorted(per_class.values()) == [3, 3]
            assert len(set(batch.indices.tolist())) == 6


def test_balanced_triplets_are_right_and_hold_each_picture_as_anchor():
    for batch in balanced(classes_per_batch=3, pictures_per_class=4).batches(0):
        assert sorted(batch.triplets[0]) == list(range(12))
    for anchor, positive, negative in drawn(balanced(classes_per_batch=3), 20):
        assert positive != anchor
        assert LABEL_OF[positive] == LABEL_OF[anchor] != LABEL_OF[negative]


def test_balanced_is_uniform_over_classes_and_pictures():
    batches = [batch for epoch in range(300) for batch in balanced().batches(epoch)]
    pictures = Counter(position for batch in batches for position in batch.indices.tolist())
    assert is_uniform(pictures, 21)
    assert is_uniform(Counter(LABEL_OF[int(batch.indices[0])] for batch in batches), 3)


def test_a_small_class_repeats_pictures_rather_than_end():
    labels = np.array([0, 0, 1, 1, 1, 1, 1])
    sampler = BalancedSampler(
        positions=np.arange(7), labels=labels, seed=0, classes_per_batch=2, pictures_per_class=4
    )
    (batch,) = sampler.batches(0)
    assert Counter(labels[batch.indices].tolist()) == {0: 4, 1: 4}
    assert len(set(batch.indices[labels[batch.indices] == 1].tolist())) == 4


def test_length_of_a_balanced_epoch():
    assert len(balanced()) == 21 // 6
    assert len(balanced(pictures_per_class=100)) == 1
    assert len(balanced(batches_per_epoch=9)) == len(balanced(batches_per_epoch=9).batches(0)) == 9


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: shuffled(batch_size=1), "batch_size is 1; it must be a whole number of at least 2"),
        (
            lambda: shuffled(positions=POSITIONS[:1], labels=LABELS[:1]),
            "1 picture; training needs at least 2",
        ),
        (lambda: triplets(batch_size=0), "batch_size is 0"),
        (lambda: triplets(labels=np.zeros(21, int)), "has 1 classes, 2 are needed"),
        (
            lambda: triplets(labels=np.array([1] * 20 + [7])),
            "class number 7 has 1 training picture, each needs 2",
        ),
        (lambda: balanced(labels=np.array([1] * 20 + [7])), "class number 7 has 1 training picture"),
        (
            lambda: balanced(classes_per_batch=4),
            r"has 3 classes, 4 are needed \(sampler\.classes_per_batch\)",
        ),
        (lambda: balanced(classes_per_batch=1), "classes_per_batch is 1"),
        (lambda: balanced(pictures_per_class=1), "pictures_per_class is 1"),
        (lambda: balanced(batches_per_epoch=0), "batches_per_epoch is 0"),
    ],
)
def test_what_cannot_be_drawn_is_an_error(make, message):
    with pytest.raises(ValueError, match=message):
        make()
