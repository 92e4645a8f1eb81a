"""LoaderOptions: keywords, builder, readable values, and what goes to the engine."""

from __future__ import annotations

import pickle

import pytest
from headrace import CancellationToken, HeadraceError, LoaderOptions, PoolConfig

#: s3dlio 0.10: `PyLoaderOptions().to_dict()`.
REFERENCE = {
    "batch_size": 32,
    "drop_last": False,
    "shuffle": False,
    "seed": 0,
    "num_workers": 0,
    "prefetch": 0,
    "auto_tune": False,
    "pin_memory": False,
    "persistent_workers": False,
    "timeout_seconds": None,
    "non_blocking": False,
    "shard_rank": 0,
    "shard_world_size": 1,
    "generator_seed": None,
    "enable_transforms": False,
    "collate_buffer_size": 1024,
    "multiprocessing_context": "spawn",
    "memory_format": "auto",
    "sampler_type": "sequential",
    "sampler_replacement": None,
    "sampler_rank": None,
    "sampler_world_size": None,
}


def changes(options: LoaderOptions) -> dict:
    return {name: options.to_dict()[name] for name in REFERENCE if options.to_dict()[name] != REFERENCE[name]}


def test_defaults_are_the_reference_s() -> None:
    assert changes(LoaderOptions()) == {}
    options = LoaderOptions()
    assert (options.num_workers_pytorch, options.worker_id) == (1, 0)
    assert (options.pool_size, options.readahead_batches, options.batch_timeout, options.max_inflight) == (64, 4, 30.0, 256)
    assert (options.reader_mode, options.part_size, options.max_inflight_parts) == ("sequential", 8 << 20, 4)
    assert (options.page_cache_mode, options.loading_mode, options.skip_head) == ("auto", "sequential", True)


def test_presets_set_what_the_reference_s_do() -> None:
    gpu = {
        "pin_memory": True,
        "persistent_workers": True,
        "non_blocking": True,
        "memory_format": "channels_first",
    }
    assert changes(LoaderOptions().gpu_optimized()) == gpu
    assert changes(LoaderOptions().distributed_optimized(1, 4)) == {
        **gpu,
        "shard_rank": 1,
        "shard_world_size": 4,
        "sampler_type": "distributed_random",
        "sampler_rank": 1,
        "sampler_world_size": 4,
    }
    assert changes(LoaderOptions().debug_mode()) == {"timeout_seconds": 10.0}


def test_the_builder_and_keywords_are_the_same_options() -> None:
    built = LoaderOptions().with_batch_size(256).shuffle(True, 42).pin_memory(True).num_workers(4).prefetch(8)
    assert built == LoaderOptions(batch_size=256, shuffle=True, seed=42, pin_memory=True, num_workers=4, prefetch=8)


def test_an_option_is_a_value_and_a_method() -> None:
    options = LoaderOptions(num_workers=4, shuffle=True, reader_mode="range")
    assert options.num_workers == 4 and options.num_workers + 1 == 5
    assert options.num_workers(8).num_workers == 8
    assert options.num_workers == 4, "options never change"
    assert options.shuffle == True and bool(options.shuffle) and repr(options.shuffle) == "True"  # noqa: E712
    assert options.reader_mode == "range" and options.reader_mode("sequential").reader_mode == "sequential"
    assert options.num_workers_value == 4 and type(options.num_workers_value) is int
    assert type(pickle.loads(pickle.dumps(options.num_workers))) is int
    assert pickle.loads(pickle.dumps(options.shuffle)) is True


def test_options_are_pickled_without_their_token() -> None:
    options = LoaderOptions(batch_size=8, cancellation_token=CancellationToken())
    assert pickle.loads(pickle.dumps(options)) == LoaderOptions(batch_size=8)


def test_every_option_reaches_the_engine_by_its_name() -> None:
    options = LoaderOptions(
        batch_size=8,
        drop_last=True,
        shuffle=True,
        seed=3,
        generator_seed=4,
        num_workers=2,
        threads=3,
        prefetch=5,
        prefetch_bytes=1000,
        ring_bytes=1 << 20,
        inflight=7,
        auto_tune={"max_prefetch": 9},
        reader_mode="range",
        part_size=1024,
        max_inflight_parts=6,
        shard_rank=1,
        shard_world_size=2,
        persistent_workers=True,
        timeout_seconds=1.5,
        window=100,
        locality="chunks",
        collate_buffer_size=64,
        page_cache_mode="DontNeed",
        epoch=2,
        fields=["data"],
        on_error="skip",
    )
    assert options.to_engine() == {
        "batchSize": 8,
        "tail": "drop",
        "shuffle": True,
        "seed": 3,
        "generatorSeed": 4,
        "workers": 2,
        "threads": 3,
        "prefetch": 5,
        "prefetchBytes": 1000,
        "ringBytes": 1 << 20,
        "inflight": 7,
        "autoTune": {"maxPrefetch": 9},
        "readerMode": "range",
        "partSize": 1024,
        "inflightParts": 6,
        "rank": 1,
        "worldSize": 2,
        "persistentWorkers": True,
        "timeout": 1500,
        "window": 100,
        "locality": "chunks",
        "collateBufferSize": 64,
        "pageCache": "dontNeed",
        "epoch": 2,
        "fields": ["data"],
        "onError": "skip",
    }


def test_what_is_not_given_is_left_to_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    assert LoaderOptions().to_engine() == {"rank": 0, "worldSize": 1}


def test_the_launcher_says_the_rank(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "3")
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert LoaderOptions().shard_of() == (3, 4)
    assert LoaderOptions().worker(1, 2).shard_of() == (7, 8)
    assert LoaderOptions().shard(0, 2).worker(1, 3).shard_of() == (1, 6)
    monkeypatch.setenv("RANK", "4")
    with pytest.raises(HeadraceError, match=r"RANK must be less than WORLD_SIZE \(4\), but is 4") as raised:
        LoaderOptions().shard_of()
    assert raised.value.code == "E_CONFIG"


def test_the_last_word_on_the_last_batch_counts() -> None:
    assert LoaderOptions(drop_last=True).replace(tail="pad").shard(0, 1).to_engine()["tail"] == "pad"
    assert LoaderOptions(tail="pad").drop_last(True).shard(0, 1).to_engine()["tail"] == "drop"
    assert "tail" not in LoaderOptions(tail="pad").drop_last(False).shard(0, 1).to_engine()


def test_samplers() -> None:
    assert LoaderOptions().random_sampling(True).shard(0, 1).to_engine() == {
        "sampler": "random",
        "replacement": True,
        "rank": 0,
        "worldSize": 1,
    }
    weighted = LoaderOptions().weighted_sampling([1, 2.5], replacement=False).shard(0, 1)
    assert weighted.to_engine() == {
        "sampler": "weighted",
        "weights": [1.0, 2.5],
        "replacement": False,
        "rank": 0,
        "worldSize": 1,
    }
    assert LoaderOptions().distributed_sampling(1, 4).to_engine() == {"sampler": "distributed", "rank": 1, "worldSize": 4}


def test_the_pool_is_how_batches_come_as_completed() -> None:
    pool = LoaderOptions().shard(0, 1).async_pool_loading_with_config(PoolConfig(pool_size=300, readahead_batches=3))
    assert pool.to_engine() == {
        "rank": 0,
        "worldSize": 1,
        "mode": "as-completed",
        "prefetch": 3,
        "inflight": 256,
        "timeout": 30_000.0,
    }
    assert pool.prefetch(9).with_timeout(5).to_engine()["prefetch"] == 9
    assert pool.prefetch(9).with_timeout(5).to_engine()["timeout"] == 5000
    assert PoolConfig.from_loader_options(LoaderOptions(num_workers=4, prefetch=8)) == PoolConfig(64, 8)


def test_images_are_left_away_without_transforms() -> None:
    options = LoaderOptions(image="train", memory_format="channels_first").shard(0, 1)
    assert options.to_engine() == {"rank": 0, "worldSize": 1, "image": "train", "layout": "NCHW"}
    assert options.enable_transforms(False).to_engine() == {"rank": 0, "worldSize": 1}
    assert LoaderOptions().channels_first().shard(0, 1).to_engine() == {"rank": 0, "worldSize": 1}


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("batch_size", 0, "batch_size must be a positive integer, but got 0"),
        ("batch_size", True, "batch_size must be a positive integer, but got True"),
        ("shuffle", "yes", "shuffle must be True or False, but got 'yes'"),
        ("timeout_seconds", float("nan"), "timeout_seconds must be a number above 0, but got nan"),
        ("reader_mode", "fast", "reader_mode must be one of sequential, range, but got 'fast'"),
        ("multiprocessing_context", "thread", "multiprocessing_context must be one of spawn, fork, forkserver, but got 'thread'"),
        ("skip_head", False, "skip_head must be True"),
        ("weights", ["much"], "weights must be numbers, one a sample"),
        ("image", ["decode"], "image must be a list of image operations"),
        ("cancellation_token", 1, "cancellation_token must be a CancellationToken, but got 1"),
        ("batch_sise", 3, "LoaderOptions has no option 'batch_sise'"),
    ],
)
def test_what_there_is_not_is_refused(option: str, value: object, message: str) -> None:
    with pytest.raises(HeadraceError) as raised:
        LoaderOptions(**{option: value})
    assert raised.value.code == "E_USAGE"
    assert message in str(raised.value)


def test_options_that_exclude_each_other() -> None:
    with pytest.raises(HeadraceError, match="drop_last and tail 'pad' exclude each other"):
        LoaderOptions(drop_last=True, tail="pad").to_engine()
    with pytest.raises(HeadraceError, match=r"rank must be less than the world size \(2\), but got 2"):
        LoaderOptions().shard(2, 2).to_engine()
    with pytest.raises(HeadraceError, match="'rank' and 'shard_rank' are the same option"):
        LoaderOptions(shard_rank=1, rank=1)
