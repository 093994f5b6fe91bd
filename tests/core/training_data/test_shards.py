"""Shards: what is written is what is read, at random and by TensorFlow's own reader, by one process or several, also by one
that was killed and begun again; damage is told."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import textwrap

import numpy as np
import pandas as pd
import psutil
import pyBigWig
import pytest

from chrombpnet_core.errors import InputError
from chrombpnet_core.genome import centres, codes_of, open_genome
from chrombpnet_core.tracks import Coverage
from chrombpnet_core.training_data import NONPEAK, PEAK, ShardSet, decode_records, write_shards
from tests.core.conftest import LAYOUT


def written(data, number):
    """Codes and counts of a region, base by base from the letters and values that the files were made from."""
    table = pd.concat([data.peaks, data.nonpeaks], ignore_index=True)
    row, centre = table.iloc[number], centres(table)[number]
    text, counts = data.letters[row["chrom"]], data.counts[row["chrom"]]
    positions = np.arange(centre - 120, centre + 120)
    codes = np.array([codes_of(text[p])[0] if 0 <= p < len(text) else 4 for p in positions], dtype=np.uint8)
    positions = np.arange(centre - 60, centre + 60)
    return codes, np.array([counts[p] if 0 <= p < len(text) else 0 for p in positions], dtype=np.float32)


def _write(data, folder, **options):
    folder.mkdir(exist_ok=True)
    source = data.folder.parent
    with open_genome(source / "g.fa", source / "cache") as genome, Coverage(source / "c.bw") as coverage:
        return write_shards(folder, genome, coverage, data.peaks, data.nonpeaks, LAYOUT, **options)


def _contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def _copied(data, folder, change):
    """The shards with their first one changed."""
    shutil.copytree(data.folder, folder)
    path = folder / "shard-00000.tfrecord"
    path.write_bytes(change(path.read_bytes()))
    return folder


def test_every_record_holds_its_region(small_data):
    with small_data.open() as shards:
        order = np.random.default_rng(1).permutation(len(shards))
        codes, counts = shards.read(order)
        for row, number in enumerate(order):
            wanted = written(small_data, number)
            np.testing.assert_array_equal(codes[row], wanted[0])
            np.testing.assert_array_equal(counts[row], wanted[1])


def test_the_index_tells_kind_centre_counts_and_margin(small_data):
    index = small_data.index
    assert (index["id"] == np.arange(64)).all()
    assert index["kind"].tolist() == [PEAK] * 24 + [NONPEAK] * 40
    for number in (0, 10, 30):
        _, counts = written(small_data, number)
        assert index["counts"][number] == counts[20:100].sum()
    starts = index["centre"] - 100
    ends = index["chrom"].map(small_data.sizes) - (index["centre"] + 100)
    assert (index["margin"] == np.minimum(starts, ends)).all()


def test_tf_data_streams_a_shard(small_data):
    """The container is plain TFRecord, checksums included, and a record tells what it is."""
    import tensorflow as tf

    with small_data.open() as shards:
        records = list(tf.data.TFRecordDataset(str(small_data.folder / "shard-00000.tfrecord")).as_numpy_iterator())
        header, codes, counts = decode_records(records, shards.layout)
        wanted = small_data.index.sort_values("offset")
        assert header["id"].tolist() == wanted["id"].tolist()
        assert header["kind"].tolist() == wanted["kind"].tolist()
        assert header["centre"].tolist() == wanted["centre"].tolist()
        assert [shards.chroms[at] for at in header["chrom"]] == wanted["chrom"].tolist()
        random_access = shards.read(header["id"].astype(np.int64))
    np.testing.assert_array_equal(codes, random_access[0])
    np.testing.assert_array_equal(counts, random_access[1])


def test_values_that_are_no_counts_come_back_exactly(small_data, tmp_path):
    source = small_data.folder.parent
    values = np.random.default_rng(2).lognormal(0, 3, 6000).astype(np.float32)
    with pyBigWig.open(str(tmp_path / "c.bw"), "w") as bigwig:
        bigwig.addHeader([("chrA", 6000)])
        bigwig.addEntries("chrA", 0, values=values.astype(np.float64), span=1, step=1)
    with open_genome(source / "g.fa", source / "cache") as genome, Coverage(tmp_path / "c.bw") as coverage:
        index = write_shards(tmp_path, genome, coverage, small_data.peaks, small_data.nonpeaks, LAYOUT)
    inner = index[(index["chrom"] == "chrA") & (index["margin"] > 20)]
    with ShardSet(tmp_path) as shards:
        _, counts = shards.read(index["id"].to_numpy())
    for number, centre in zip(inner["id"], inner["centre"], strict=True):
        np.testing.assert_array_equal(counts[number], values[centre - 60 : centre + 60])
    assert not counts[index["chrom"] == "chrB"].any()  # the bigWig lacks it


def test_shards_hold_neighbours_and_no_more_than_asked(small_data, tmp_path):
    index = _write(small_data, tmp_path / "few", regions_per_shard=7)
    sizes = index["shard"].value_counts()
    assert sizes.max() <= 7
    assert len(sizes) == len(list((tmp_path / "few").glob("*.tfrecord"))) >= 64 / 7
    for _, rows in index.sort_values(["shard", "offset"]).groupby("shard"):
        assert rows["centre"].is_monotonic_increasing or rows["chrom"].nunique() > 1
    assert sorted(path.name for path in small_data.folder.iterdir()) == [
        "index.parquet",
        "layout.json",
        "shard-00000.tfrecord",
    ]  # both chromosomes
    with ShardSet(tmp_path / "few") as few, small_data.open() as whole:
        ids = np.random.default_rng(4).permutation(64)
        for mine, yours in zip(few.read(ids), whole.read(ids), strict=True):
            np.testing.assert_array_equal(mine, yours)


def test_several_processes_write_what_one_writes(small_data, tmp_path):
    _write(small_data, tmp_path / "one", regions_per_shard=10)
    _write(small_data, tmp_path / "two", regions_per_shard=10, cache=small_data.folder.parent / "cache", workers=2)
    assert _contents(tmp_path / "one") == _contents(tmp_path / "two")


KILLED = """
    if __name__ == "__main__":
        import os, signal, sys
        from pathlib import Path
        import pandas as pd
        import psutil
        from chrombpnet_core.tracks import Coverage
        from chrombpnet_core.genome import open_genome
        from chrombpnet_core.training_data import ShardLayout, write_shards

        def kill():
            Path("children").write_text(" ".join(str(child.pid) for child in psutil.Process().children()))
            os.kill(os.getpid(), signal.SIGKILL)

        source = Path(sys.argv[1])
        with open_genome(source / "g.fa", source / "cache") as genome, Coverage(source / "c.bw") as coverage:
            write_shards(Path("out"), genome, coverage, pd.read_pickle("peaks"), pd.read_pickle("nonpeaks"),
                         ShardLayout(200, 80, 20), cache=source / "cache", workers=2, resume=Path("resume"), saved=kill,
                         regions_per_shard=3)
"""


def test_a_killed_writer_goes_on_where_it_was_and_leaves_no_process(small_data, tmp_path):
    (tmp_path / "killed.py").write_text(textwrap.dedent(KILLED))
    for name in ("out", "resume"):
        (tmp_path / name).mkdir()
    small_data.peaks.to_pickle(tmp_path / "peaks")
    small_data.nonpeaks.to_pickle(tmp_path / "nonpeaks")
    ended = subprocess.run([sys.executable, "killed.py", str(small_data.folder.parent)], cwd=tmp_path, check=False)
    assert ended.returncode == -9
    begun = [int(pid) for pid in (tmp_path / "children").read_text().split()]
    assert len(begun) >= 2
    assert not psutil.wait_procs([psutil.Process(pid) for pid in begun if psutil.pid_exists(pid)], timeout=20)[1]
    kept = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "resume").glob("*.tfrecord.npz")}
    assert 1 <= len(kept) < 22
    added = []
    _write(small_data, tmp_path / "again", resume=tmp_path / "resume", regions_per_shard=3, saved=lambda: added.append(1))
    assert len(added) == 22 - len(kept)
    assert all((tmp_path / "resume" / name).stat().st_mtime_ns == time for name, time in kept.items())
    _write(small_data, tmp_path / "undisturbed", regions_per_shard=3)
    assert _contents(tmp_path / "again") == _contents(tmp_path / "undisturbed")
    assert not list((tmp_path / "resume").glob(".*"))


def _replace(path, content):
    path.unlink()  # the shard is one file with another name in the first attempt's folder
    path.write_bytes(content)


def _flip(path, position):
    data = bytearray(path.read_bytes())
    data[position % len(data)] ^= 16
    _replace(path, bytes(data))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda folder: (folder / "shard-00001.tfrecord").unlink(),
        lambda folder: _replace(folder / "shard-00001.tfrecord", b""),
        lambda folder: _replace(folder / "shard-00001.tfrecord.npz", b"PK"),
        lambda folder: (folder / "shard-00001.tfrecord.npz").rename(folder / "shard-00000.tfrecord.npz"),
        lambda folder: _flip(folder / "shard-00001.tfrecord", 5000),
        lambda folder: _flip(folder / "shard-00001.tfrecord.npz", 700),
    ],
)
def test_what_a_resumed_writer_cannot_trust_it_writes_again(small_data, tmp_path, spoil):
    (tmp_path / "resume").mkdir()
    options = {"resume": tmp_path / "resume", "regions_per_shard": 10}
    _write(small_data, tmp_path / "first", **options)
    wanted = _contents(tmp_path / "first")
    spoil(tmp_path / "resume")
    added = []
    _write(small_data, tmp_path / "second", saved=lambda: added.append(1), **options)
    assert 1 <= len(added) <= 2
    assert _contents(tmp_path / "second") == wanted == _contents(tmp_path / "first")


def test_other_regions_are_not_taken_from_what_was_kept(small_data, tmp_path):
    (tmp_path / "resume").mkdir()
    _write(small_data, tmp_path / "first", resume=tmp_path / "resume")
    added = []
    source = small_data.folder.parent
    (tmp_path / "second").mkdir()
    with open_genome(source / "g.fa", source / "cache") as genome, Coverage(source / "c.bw") as coverage:
        write_shards(
            tmp_path / "second",
            genome,
            coverage,
            small_data.peaks[1:],
            small_data.nonpeaks,
            LAYOUT,
            resume=tmp_path / "resume",
            saved=lambda: added.append(1),
        )
    assert added == [1]


def _flipped(content, at):
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


@pytest.mark.parametrize("back", [0, 1, 50, 120])
def test_a_flipped_bit_is_told_with_shard_and_offset(small_data, tmp_path, back):
    """In the checksum, the record's end, its middle or its bases."""
    last = small_data.index.sort_values("offset").iloc[-1]
    end = last["offset"] + last["length"]
    folder = _copied(small_data, tmp_path / "shards", lambda content: _flipped(content, end - back))
    with ShardSet(folder) as shards:
        shards.read(np.setdiff1d(np.arange(64), last["id"]))
        with pytest.raises(InputError, match=rf"shard-00000\.tfrecord, byte {last['offset']:,}: .*damaged"):
            shards.read(np.array([last["id"]]))


def test_a_truncated_shard_is_told(small_data, tmp_path):
    folder = _copied(small_data, tmp_path / "shards", lambda content: content[:-1])
    with ShardSet(folder) as shards, pytest.raises(InputError, match="damaged"):
        shards.read(np.arange(64))


def test_a_missing_shard_an_older_format_and_a_wrong_index_are_told(small_data, tmp_path):
    folder = _copied(small_data, tmp_path / "shards", lambda content: content)
    index = small_data.index.copy()
    index.loc[[3, 5], ["offset", "length"]] = index.loc[[5, 3], ["offset", "length"]].to_numpy()
    index.to_parquet(folder / "index.parquet")
    with ShardSet(folder) as shards, pytest.raises(InputError, match="region 3 expected, 5 found"):
        shards.read(np.array([1, 3]))
    layout = json.loads((folder / "layout.json").read_text())
    del layout["format"]
    (folder / "shard-00000.tfrecord").unlink()
    with pytest.raises(InputError, match=r"shard-00000.tfrecord: no such shard"):
        ShardSet(folder)
    (folder / "layout.json").write_text(json.dumps(layout))
    with pytest.raises(InputError, match="expected format 2, found 1"):
        ShardSet(folder)
