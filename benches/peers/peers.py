"""pincite's index beside what people would build one from today, in one run on one machine.

    python3 benches/peers/peers.py

from a Python that has requirements.txt; a peer that is not installed is skipped, and that is said. It takes five
minutes; the first run embeds 20,000 chunks, which takes five more.

What is measured. `cargo bench --bench peers` cuts the generated files of the other benches into 20,000 chunks of some
200 tokens, embeds each with pincite's default model, and writes chunks, vectors, 200 queries and 30 new versions of
files. Every engine gets all of these, on the same two processors, in a process of its own, one after the other.
Vectors are there already: no figure but those `with embedding` has any embedding in it.

How to read it:
- index: seconds for chunks and vectors until they can be queried and are on disk; the median of 3 empty folders, or one
  time where it takes long.
- hybrid: milliseconds for the best ten by words and vectors, with their texts, as that peer's users query it; the
  median of 200 queries that were all made once before.
  pincite's are passages with citations. `with embedding` adds what embedding a query with pincite takes alone; pincite
  itself looks the words up meanwhile, so its own sum is an upper bound.
- update: milliseconds to replace a file of some ten chunks and their vectors until a hybrid query finds it; the median.
- disk: megabytes as indexed, and after the updates; pincite's are the lengths of its files. All keep the texts.
- recall: the part of the ten nearest vectors (NumPy, single precision) that the dense leg alone finds. 1 is exact.
- finds its file: the part of queries whose ten hits have a chunk of the file that the query's words were taken from. It
  says that each peer works, and nothing of quality: the text is generated, of random words, which vectors tell little
  of. pincite weighs vectors 0.7 and words 0.3, the peers by rank or evenly, so it finds fewer here.
- ahead: the peer's hybrid without embedding, by pincite's. Below 1 the peer is ahead.

Peers run with the options that they come with. They are called from Python, and pincite from Rust.
Figures of another run or another machine do not compare; ratios of one run do.
"""

import importlib
import importlib.metadata
import importlib.util
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

NUM_PROCESSORS = 2
NUM_DIMENSIONS = 384
NUM_ROUNDS = 3
# Beyond this many milliseconds, indexing everything is measured once.
LONG_MS = 15_000
TOP = 10
NUM_CANDIDATES = 100
RRF_K = 60


def fused(*legs):
    """Reciprocal rank fusion: the best ten ids of ranked lists of ids."""
    scores = {}
    for leg in legs:
        for rank, number in enumerate(leg, 1):
            scores[number] = scores.get(number, 0.0) + 1.0 / (RRF_K + rank)
    return sorted(scores, key=scores.get, reverse=True)[:TOP]


class Sqlite:
    """SQLite with FTS5 and sqlite-vec: BM25 and an exact scan, fused here."""

    TITLE = "SQLite FTS5 + sqlite-vec {sqlite-vec}"
    MODULES = ["sqlite_vec"]

    def __init__(self, folder):
        import sqlite_vec

        self.db = self.module().connect(folder / "index.db", isolation_level=None)
        self.db.enable_load_extension(True)
        sqlite_vec.load(self.db)
        self.db.executescript(
            f"""
            PRAGMA journal_mode = WAL;
            CREATE TABLE chunks (id INTEGER PRIMARY KEY, file TEXT, ordinal INTEGER, title TEXT, text TEXT);
            CREATE VIRTUAL TABLE words USING fts5(text, content='chunks', content_rowid='id',
                tokenize='porter unicode61');
            CREATE TRIGGER chunk_comes AFTER INSERT ON chunks BEGIN
                INSERT INTO words(rowid, text) VALUES (new.id, new.text);
            END;
            CREATE TRIGGER chunk_goes AFTER DELETE ON chunks BEGIN
                INSERT INTO words(words, rowid, text) VALUES ('delete', old.id, old.text);
            END;
            CREATE VIRTUAL TABLE vectors USING vec0(id INTEGER PRIMARY KEY, vector FLOAT[{NUM_DIMENSIONS}]
                distance_metric=cosine);
            """
        )

    @staticmethod
    def module():
        """SQLite as Python has it; some builds of Python leave extensions out, then that of pysqlite3."""
        import sqlite3

        if hasattr(sqlite3.Connection, "enable_load_extension"):
            return sqlite3
        import pysqlite3

        return pysqlite3

    def replace(self, gone, chunks, vectors):
        self.db.execute("BEGIN")
        self.db.executemany("DELETE FROM chunks WHERE id = ?", [(number,) for number in gone])
        self.db.executemany("DELETE FROM vectors WHERE id = ?", [(number,) for number in gone])
        self.db.executemany("INSERT INTO chunks VALUES (:id, :file, :ordinal, :title, :text)", chunks)
        rows = zip((chunk["id"] for chunk in chunks), vectors)
        self.db.executemany("INSERT INTO vectors VALUES (?, ?)", ((number, row.tobytes()) for number, row in rows))
        self.db.execute("COMMIT")
        if not gone:
            self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def words(self, query, limit=TOP):
        kept = "".join(letter if letter.isalnum() else " " for letter in query).split()
        sql = "SELECT rowid FROM words WHERE words MATCH ? ORDER BY rank LIMIT ?"
        return [row[0] for row in self.db.execute(sql, (" OR ".join(f'"{word}"' for word in kept), limit))]

    def dense(self, vector, limit=TOP):
        sql = "SELECT id FROM vectors WHERE vector MATCH ? AND k = ? ORDER BY distance"
        return [row[0] for row in self.db.execute(sql, (vector.tobytes(), limit))]

    def hybrid(self, query, vector):
        best = fused(self.words(query, NUM_CANDIDATES), self.dense(vector, NUM_CANDIDATES))
        sql = f"SELECT id, text FROM chunks WHERE id IN ({','.join('?' * len(best))})"
        texts = dict(self.db.execute(sql, best))
        return [(number, texts[number]) for number in best]

    def close(self):
        self.db.close()


class Lance:
    """LanceDB's own hybrid query: its word index, an exact scan, its RRF reranker."""

    TITLE = "LanceDB {lancedb}"
    MODULES = ["lancedb", "pyarrow"]

    def __init__(self, folder):
        import lancedb

        self.db = lancedb.connect(folder)
        self.table = None

    @staticmethod
    def rows(chunks, vectors):
        import pyarrow

        column = pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(vectors.reshape(-1)), NUM_DIMENSIONS)
        return pyarrow.Table.from_pylist(chunks).append_column("vector", column)

    def replace(self, gone, chunks, vectors):
        from lancedb.index import FTS

        rows = self.rows(chunks, vectors)
        if self.table is None:
            self.table = self.db.create_table("chunks", rows)
            self.table.create_index("text", config=FTS())
        else:
            self.table.delete(f"id IN ({','.join(map(str, gone))})")
            # Found at once, by a scan of what the word index has not yet; `optimize` would write all of that anew.
            self.table.add(rows)

    def words(self, query):
        return [row["id"] for row in self.table.search(query, query_type="fts").limit(TOP).select(["id"]).to_list()]

    def dense(self, vector):
        return [row["id"] for row in self.table.search(vector).limit(TOP).select(["id"]).to_list()]

    def hybrid(self, query, vector):
        found = self.table.search(query_type="hybrid").vector(vector).text(query).limit(TOP)
        return [(row["id"], row["text"]) for row in found.select(["id", "text", "file"]).to_list()]

    def close(self):
        pass


class QdrantEdge:
    """Qdrant Edge: its HNSW and its BM25 as sparse vectors, fused by its RRF."""

    TITLE = "qdrant-edge-py {qdrant-edge-py}"
    MODULES = ["qdrant_edge"]

    def __init__(self, folder):
        import qdrant_edge as edge

        self.edge = edge
        self.bm25 = edge.Bm25()
        config = edge.EdgeConfig(
            vectors={"dense": edge.EdgeVectorParams(size=NUM_DIMENSIONS, distance=edge.Distance.Cosine)},
            sparse_vectors={"words": edge.EdgeSparseVectorParams(modifier=edge.Modifier.Idf)},
        )
        self.shard = edge.EdgeShard.create(str(folder), config)

    def replace(self, gone, chunks, vectors):
        operation = self.edge.UpdateOperation
        if gone:
            self.shard.update(operation.delete_points(gone))
        points = [
            self.edge.Point(
                chunk["id"], {"dense": row.tolist(), "words": self.bm25.embed_document(chunk["text"])}, chunk
            )
            for chunk, row in zip(chunks, vectors)
        ]
        for start in range(0, len(points), 1_000):
            self.shard.update(operation.upsert_points(points[start : start + 1_000]))
        if not gone:
            # Builds the HNSW, which it never does by itself.
            self.shard.optimize()
        self.shard.flush()

    def nearest(self, query, using):
        return self.edge.Query.Nearest(query, using=using)

    def words(self, query):
        request = self.edge.QueryRequest(limit=TOP, query=self.nearest(self.bm25.embed_query(query), "words"))
        return [point.id for point in self.shard.query(request)]

    def dense(self, vector):
        request = self.edge.QueryRequest(limit=TOP, query=self.nearest(vector.tolist(), "dense"))
        return [point.id for point in self.shard.query(request)]

    def hybrid(self, query, vector):
        legs = [self.nearest(self.bm25.embed_query(query), "words"), self.nearest(vector.tolist(), "dense")]
        request = self.edge.QueryRequest(
            limit=TOP,
            prefetches=[self.edge.Prefetch(limit=NUM_CANDIDATES, query=leg) for leg in legs],
            query=self.edge.Fusion.Rrf(k=RRF_K),
            with_payload=True,
        )
        return [(point.id, point.payload["text"]) for point in self.shard.query(request)]

    def close(self):
        self.shard.close()


class Txtai:
    """txtai's own hybrid index with its contents; saved whole, as it has no other way to disk."""

    TITLE = "txtai {txtai}"
    MODULES = ["txtai"]

    def __init__(self, folder):
        import numpy
        from txtai import Embeddings

        self.folder = str(folder)
        # Its way to vectors made elsewhere is a function of the texts.
        self.ready = {}

        def transform(texts):
            return numpy.stack([self.ready[text] for text in texts])

        self.embeddings = Embeddings(method="external", transform=transform, hybrid=True, content=True)

    def replace(self, gone, chunks, vectors):
        self.ready.update(zip((chunk["text"] for chunk in chunks), vectors))
        rows = [(chunk["id"], chunk, None) for chunk in chunks]
        if gone:
            self.embeddings.delete(gone)
            self.embeddings.upsert(rows)
        else:
            self.embeddings.index(rows)
        self.embeddings.save(self.folder)

    def found(self, query, weights):
        return [(int(row["id"]), row["text"]) for row in self.embeddings.search(query, TOP, weights=weights)]

    def words(self, query):
        import numpy

        self.ready[query] = numpy.ones(NUM_DIMENSIONS, dtype=numpy.float32)
        return [number for number, _ in self.found(query, 0.0)]

    def dense(self, vector):
        self.ready["the vector alone"] = vector
        return [number for number, _ in self.found("the vector alone", 1.0)]

    def hybrid(self, query, vector):
        self.ready[query] = vector
        return self.found(query, 0.5)

    def close(self):
        self.embeddings.close()


class Chroma:
    """Chroma's HNSW beside bm25s, which indexes everything again at each change, fused here."""

    TITLE = "Chroma {chromadb} + bm25s {bm25s}"
    MODULES = ["chromadb", "bm25s"]

    def __init__(self, folder):
        import bm25s
        import chromadb

        self.bm25s = bm25s
        self.folder = folder
        settings = chromadb.Settings(anonymized_telemetry=False)
        client = chromadb.PersistentClient(str(folder / "chroma"), settings)
        self.most = client.get_max_batch_size()
        self.collection = client.create_collection(
            "chunks", configuration={"hnsw": {"space": "cosine"}}, embedding_function=None
        )
        self.texts = {}

    def replace(self, gone, chunks, vectors):
        if gone:
            self.collection.delete(ids=[str(number) for number in gone])
        for start in range(0, len(chunks), self.most):
            some = chunks[start : start + self.most]
            self.collection.add(
                ids=[str(chunk["id"]) for chunk in some],
                embeddings=vectors[start : start + self.most],
                documents=[chunk["text"] for chunk in some],
                metadatas=[{"file": chunk["file"], "ordinal": chunk["ordinal"]} for chunk in some],
            )
        for number in gone:
            del self.texts[number]
        self.texts.update((chunk["id"], chunk["text"]) for chunk in chunks)
        self.numbers = list(self.texts)
        self.bm25 = self.bm25s.BM25()
        tokens = self.bm25s.tokenize(list(self.texts.values()), stopwords="en", show_progress=False)
        self.bm25.index(tokens, show_progress=False)
        self.bm25.save(self.folder / "bm25s")

    def words(self, query, limit=TOP):
        tokens = self.bm25s.tokenize(query, stopwords="en", show_progress=False)
        rows, scores = self.bm25.retrieve(tokens, k=limit, show_progress=False)
        return [self.numbers[row] for row, score in zip(rows[0], scores[0]) if score > 0]

    def dense(self, vector, limit=TOP):
        found = self.collection.query(query_embeddings=[vector], n_results=limit, include=[])
        return [int(number) for number in found["ids"][0]]

    def hybrid(self, query, vector):
        best = fused(self.words(query, NUM_CANDIDATES), self.dense(vector, NUM_CANDIDATES))
        return [(number, self.texts[number]) for number in best]

    def close(self):
        pass


PEERS = {"sqlite": Sqlite, "lance": Lance, "qdrant-edge": QdrantEdge, "txtai": Txtai, "chroma": Chroma}


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def rows_of(path):
    import numpy

    return numpy.fromfile(path, dtype="<f4").reshape(-1, NUM_DIMENSIONS)


def megabytes(folder):
    """What a folder takes on disk: some files are longer than what is written of them."""
    stats = [path.stat() for path in folder.rglob("*") if path.is_file()]
    return sum(stat.st_blocks * 512 if hasattr(stat, "st_blocks") else stat.st_size for stat in stats) / 1e6


def timed(work):
    started = time.perf_counter()
    result = work()
    return (time.perf_counter() - started) * 1000.0, result


def measure(peer, folder):
    """The figures of one peer; what is odd about them is said in `notes`."""
    for module in peer.MODULES:
        importlib.import_module(module)
    chunks = [{"id": number, **chunk} for number, chunk in enumerate(lines(folder / "chunks.jsonl"))]
    vectors, query_vectors = rows_of(folder / "vectors.f32"), rows_of(folder / "query_vectors.f32")
    queries = [(row["query"], vector) for row, vector in zip(lines(folder / "queries.jsonl"), query_vectors)]
    index_ms = []
    while True:
        home = folder / f"round-{len(index_ms)}"
        home.mkdir()

        def index():
            made = peer(home)
            made.replace([], chunks, vectors)
            return made

        took, index = timed(index)
        index_ms.append(took)
        if len(index_ms) == NUM_ROUNDS or took > LONG_MS:
            break
        index.close()
        shutil.rmtree(home)
    figures = {"index_s": statistics.median(index_ms) / 1e3, "disk_mb": megabytes(home), "notes": []}

    # Twice over, so that all have read their files.
    for query, vector in queries:
        index.hybrid(query, vector)
    found = [timed(lambda: index.hybrid(query, vector)) for query, vector in queries]
    figures["hybrid_ms"] = statistics.median(took for took, _ in found)
    for _, hits in found:
        assert all(chunks[number]["text"] == text for number, text in hits), "a hit has its own text"
    figures["hybrid"] = [[chunks[number]["file"] for number, _ in hits] for _, hits in found]
    figures["dense"] = [index.dense(vector) for _, vector in queries]

    numbers = {}
    for chunk in chunks:
        numbers.setdefault(chunk["file"], []).append(chunk["id"])
    update_ms, num_lost, num_stale = [], 0, 0
    new_vectors, new_id = rows_of(folder / "update_vectors.f32"), len(chunks)
    for update in lines(folder / "updates.jsonl"):
        gone = numbers[update["file"]]
        new = [{"id": new_id + place, **chunk} for place, chunk in enumerate(update["chunks"])]
        rows, new_vectors = new_vectors[: len(new)], new_vectors[len(new) :]
        new_id += len(new)

        def replaced():
            index.replace(gone, new, rows)
            return index.hybrid(update["mark"], rows[-1])

        took, hits = timed(replaced)
        update_ms.append(took)
        assert any(update["mark"] in text for _, text in hits), "the new version is found at once"
        num_lost += new[-1]["id"] not in index.words(update["mark"]) or new[0]["id"] not in index.dense(rows[0])
        num_stale += gone[0] in index.dense(vectors[gone[0]]) + index.words(chunks[gone[0]]["text"][:200])
    if num_lost:
        figures["notes"].append(f"{num_lost} of {len(update_ms)} new versions are not found by each leg alone")
    if num_stale:
        figures["notes"].append(f"{num_stale} of {len(update_ms)} old versions are still found")
    figures["update_ms"] = statistics.median(update_ms)
    index.close()
    figures["disk_after_mb"] = megabytes(home)
    shutil.rmtree(home)
    return figures


def own_figures(folder):
    """pincite's figures; writes what the peers get."""
    command = [os.environ.get("CARGO", "cargo"), "bench", "--bench", "peers"]
    root = pathlib.Path(__file__).resolve().parents[2]
    subprocess.run(command, cwd=root, env={**os.environ, "PINCITE_BENCH_EXPORT": str(folder)}, check=True)
    path = folder / "figures.json"
    if not path.exists():
        sys.exit("pincite has no figures: its bench says why above")
    figures = json.loads(path.read_text())
    figures["notes"] = [f"{figures['num_stale']} old versions are still found"] if figures["num_stale"] else []
    return figures


def peer_figures(name, folder):
    """The figures of one peer, from a process of its own; None where it cannot be measured, and why is said."""
    try:
        for module in PEERS[name].MODULES:
            if importlib.util.find_spec(module) is None:
                raise ModuleNotFoundError(f"`{module}` is not installed")
        title = title_of(PEERS[name])
        home = folder / name
        home.mkdir()
        for path in folder.glob("*.*"):
            (home / path.name).symlink_to(path)
        subprocess.run([sys.executable, __file__, name, str(home)], check=True)
        figures = json.loads((home / "peer.json").read_text())
        shutil.rmtree(home)
        return title, figures
    except (ImportError, importlib.metadata.PackageNotFoundError, subprocess.CalledProcessError) as error:
        print(f"\n!!! SKIPPED: {name}: {error} !!!\n", flush=True)
        return None


def title_of(peer):
    title = peer.TITLE
    for name in [part.split("}")[0] for part in title.split("{")[1:]]:
        title = title.replace("{" + name + "}", importlib.metadata.version(name))
    return title


def number(figure):
    return f"{figure:,.0f}" if figure >= 100 else f"{figure:.1f}" if figure >= 10 else f"{figure:.2f}"


def table(all_figures, folder):
    import numpy

    vectors, query_vectors = rows_of(folder / "vectors.f32"), rows_of(folder / "query_vectors.f32")
    exact = [set(best) for best in numpy.argsort(-(query_vectors @ vectors.T), axis=1)[:, :TOP].tolist()]
    files = [row["file"] for row in lines(folder / "queries.jsonl")]
    own = all_figures[0][1]
    heads = [
        "",
        "index, s",
        "hybrid top-10 p50, ms",
        "with embedding",
        "update a file p50, ms",
        "disk MB, after updates",
        f"dense recall@{TOP}",
        "finds its file",
        "pincite is ahead by",
    ]
    print(f"\n{len(vectors):,} chunks, {len(files)} queries, {NUM_PROCESSORS} processors\n")
    print(f"| {' | '.join(heads)} |")
    print("|---" * len(heads) + "|")
    for title, figures in all_figures:
        recall = sum(len(best & set(found)) for best, found in zip(exact, figures["dense"])) / (TOP * len(exact))
        finds = sum(file in found for file, found in zip(files, figures["hybrid"])) / len(files)
        ahead = "" if figures is own else f"{number(figures['hybrid_ms'] / own['hybrid_ms'])} times"
        cells = [
            title,
            number(figures["index_s"]),
            number(figures["hybrid_ms"]),
            number(figures["hybrid_ms"] + own["embed_query_ms"]),
            number(figures["update_ms"]),
            f"{figures['disk_mb']:.0f}, {figures['disk_after_mb']:.0f}",
            f"{recall:.3f}",
            f"{finds:.2f}",
            ahead,
        ]
        print(f"| {' | '.join(cells)} |")
    print()
    for title, figures in all_figures:
        for note in figures["notes"]:
            print(f"- {title}: {note}.")


def main():
    os.environ.setdefault("LANCEDB_LOG", "error")
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:NUM_PROCESSORS])
    if len(sys.argv) == 3:
        folder = pathlib.Path(sys.argv[2])
        (folder / "peer.json").write_text(json.dumps(measure(PEERS[sys.argv[1]], folder)))
        # Some peers' threads would hold the process.
        sys.stdout.flush()
        os._exit(0)
    if importlib.util.find_spec("numpy") is None:
        sys.exit("NumPy is missing: install benches/peers/requirements.txt")
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        all_figures = [("**pincite**", own_figures(folder))]
        for name in PEERS:
            print(f"measuring {name}", flush=True)
            measured = peer_figures(name, folder)
            if measured:
                all_figures.append(measured)
        table(all_figures, folder)


if __name__ == "__main__":
    main()
