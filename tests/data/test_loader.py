import numpy as np
import pytest
import torch

from fashion_lab.contracts.batch import INDICES, TRIPLETS
from fashion_lab.data.loader import DRAWS, MIX, PARTNERS, IndexLoader, SplitLoader
from fashion_lab.data.samplers import ShuffleSampler, TripletSampler

LABELS = np.arange(22) % 3


def loader(sampler=ShuffleSampler, seed=0, **options):
    batches = sampler(positions=np.arange(22), labels=LABELS, seed=seed, batch_size=4)
    return IndexLoader(batches, **{"draws": 5, "mixup": 0.4} | options)


def epoch_of(source, epoch, number=None):
    """Batches of an epoch; all of them, or the first so many and no more asked for."""
    source.set_epoch(epoch)
    iterator = iter(source)
    return [next(iterator) for _ in range(len(source) if number is None else number)]


def same(ours, theirs):
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        assert a.keys() == b.keys()
        assert all(torch.equal(a[key], b[key]) for key in a)
    return True


@pytest.mark.parametrize("done", range(7))
def test_goes_on_in_the_middle_of_an_epoch(done):
    whole, stopped, fresh = (loader(TripletSampler) for _ in range(3))
    epoch_of(stopped, 0)
    epoch_of(stopped, 1, done) if done else stopped.set_epoch(1)
    state = stopped.state_dict() if done else {"epoch": 1, "handed_out": 0}
    fresh.load_state_dict(state)
    fresh.set_epoch(1)
    assert same(list(fresh), epoch_of(whole, 1)[done:])
    assert same(epoch_of(fresh, 2), epoch_of(whole, 2))


def test_state_of_a_whole_epoch_leaves_the_next_one_whole():
    stopped, fresh = loader(), loader()
    epoch_of(stopped, 0)
    fresh.load_state_dict(stopped.state_dict())
    assert same(epoch_of(fresh, 1), epoch_of(loader(), 1))


def test_an_epoch_cut_short_does_not_shift_the_next():
    cut = loader()
    epoch_of(cut, 0, 2)
    assert same(epoch_of(cut, 1), epoch_of(loader(), 1))


def test_a_look_at_a_batch_takes_none_away():
    looked_at = loader()
    next(iter(looked_at))
    assert same(list(looked_at), list(loader()))


def test_iterator_made_before_the_epoch_is_told_belongs_to_that_epoch():
    early = loader()
    iterator = iter(early)
    early.set_epoch(3)
    assert same(list(iterator), epoch_of(loader(), 3))


def test_state_is_plain():
    counting = loader()
    epoch_of(counting, 2, 3)
    assert counting.state_dict() == {"epoch": 2, "handed_out": 3}


@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_ranks_share_an_epoch_without_overlap(world_size):
    whole = epoch_of(loader(), 1)
    parts = [epoch_of(loader(rank=rank, world_size=world_size), 1) for rank in range(world_size)]
    assert {len(part) for part in parts} == {len(whole) // world_size}
    together = [batch for turn in zip(*parts, strict=True) for batch in turn]
    assert same(together, whole[: len(together)])
    assert len(whole) - len(together) < world_size


def test_too_many_processes():
    with pytest.raises(ValueError, match="6 batches an epoch are too few for 7 processes"):
        loader(world_size=7)


def test_draws_differ_between_pictures_batches_epochs_and_seeds():
    every = [
        batch[DRAWS] for seed in (0, 1) for epoch in (0, 1) for batch in epoch_of(loader(seed=seed), epoch)
    ]
    rows = torch.cat(every)
    assert rows.shape == (22 * 4, 5)
    assert rows.dtype == torch.float32
    assert len(rows.unique()) == rows.numel()
    assert 0 <= rows.min() < 0.05
    assert 0.95 < rows.max() < 1


def test_draws_are_not_the_samplers():
    shuffled = np.random.default_rng([0, 1]).random((4, 5), dtype=np.float32)
    assert not np.array_equal(epoch_of(loader(), 0)[0][DRAWS].numpy(), shuffled)


def test_keys_of_a_batch():
    assert set(epoch_of(loader(mixup=0.0), 0)[0]) == {INDICES, DRAWS}
    assert set(epoch_of(loader(TripletSampler), 0)[0]) == {INDICES, DRAWS, MIX, PARTNERS, TRIPLETS}


def test_partners_are_drawn_from_all_of_the_batch():
    met = np.zeros((4, 4))
    for epoch in range(300):
        for batch in epoch_of(loader(), epoch)[:5]:
            partners = batch[PARTNERS].numpy()
            assert sorted(partners) == [0, 1, 2, 3]
            met[np.arange(4), partners] += 1
    assert abs(met / 1500 - 0.25).max() < 0.05


def test_mixup_shares_follow_the_beta_distribution():
    shares = torch.cat([batch[MIX] for epoch in range(200) for batch in epoch_of(loader(mixup=0.2), epoch)])
    assert (shares >= 0).all()
    assert (shares <= 1).all()
    assert abs(shares.mean() - 0.5) < 0.05
    assert abs(shares.var() - 1 / (4 * (2 * 0.2 + 1))) < 0.02  # ab / ((a+b)^2 (a+b+1)) with a = b


def test_split_loader_gives_a_split_in_order():
    rows = np.array([5, 3, 9, 1, 7])
    batches = list(SplitLoader(rows, batch_size=2))
    assert [batch[INDICES].tolist() for batch in batches] == [[5, 3], [9, 1], [7]]
    assert len(SplitLoader(rows, batch_size=2)) == 3
    assert len(SplitLoader(rows, batch_size=5)) == 1


def test_split_loader_shows_each_picture_to_one_process():
    parts = [SplitLoader(np.arange(7), batch_size=2, rank=rank, world_size=3) for rank in range(3)]
    seen = [batch[INDICES].tolist() for part in parts for batch in part]
    assert sorted(row for batch in seen for row in batch) == list(range(7))
