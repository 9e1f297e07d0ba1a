"""What we ask of a Milvus, in one place: a file (Milvus Lite), a server, or a cluster, through one client.

Rows have an `id`, a `vector` and a `mark`; a collection has a note, kept as a property of it. Reads see all
that was written before ("Strong").

Shape suffixes: Q queries, B vectors of a batch, W their width there, C candidates.
"""

import logging
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fashion_lab.indexes.rows import Rows

PROPERTY = "fashion_lab"
CONNECTING = 5.0  # seconds to wait for an answer; assumption
ANSWER = 2**24  # bytes of vectors in an answer; a message may have 64 MiB
TOGETHER = 32  # queries of a call: milvus-lite holds queries x rows x numbers, 24 GB for 1,000 x 100k x 64
STRONG = "Strong"
SELDOM = {"grpc.keepalive_time_ms": 330_000}  # at pymilvus's 10 s a plain gRPC server hangs up, and says so


class MilvusServer:
    """A connection.

    Raises ValueError, here and in every method, where it cannot be reached or refuses: in seconds.

    Args:
        uri: a path that ends in .db, or http(s)://host:port.
        token: of a cluster that wants one, else empty.
        timeout: seconds for one request.
    """

    def __init__(self, uri: str, token: str, timeout: float) -> None:
        from pymilvus import MilvusClient, MilvusException

        for name in ("pymilvus", "milvus_lite"):  # they log what they raise, with traces
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self._refusal, self._timeout = MilvusException, timeout
        self.place = re.sub(r"//[^/@]*@", "//", uri)
        try:
            if "://" not in uri:
                Path(uri).parent.mkdir(parents=True, exist_ok=True)
            connecting = min(CONNECTING, timeout)
            self._client = MilvusClient(uri, token=token, timeout=connecting, grpc_options=SELDOM)
        except (MilvusException, OSError) as error:
            raise ValueError(
                f"no Milvus answers at {self.place}: {_line(error)}; start one (milvus-lite server "
                "--data-dir milvus --host 127.0.0.1 --port 19530), or name a file that no other process "
                "holds: engine.uri=milvus.db"
            ) from error

    def collections(self, name: str) -> list[str]:
        """List the collections that `create` made under this name."""
        ours = re.compile(rf"{re.escape(name)}_[0-9a-f]{{12}}")
        return sorted(found for found in self._ask("list_collections") if ours.fullmatch(found))

    def create(self, name: str, width: int, index: Mapping[str, Any], note: str) -> str:
        """Make an empty collection under this name, with an index of this type and params; give its own."""
        from pymilvus import DataType

        schema = self._client.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("id", DataType.INT64, is_primary=True)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=width)
        schema.add_field("mark", DataType.INT64)
        indexes = self._client.prepare_index_params()
        indexes.add_index("vector", index_type=index["type"], metric_type="L2", params=dict(index["params"]))
        own = f"{name}_{uuid.uuid4().hex[:12]}"
        options = {"consistency_level": STRONG, "properties": {PROPERTY: note}}
        self._ask("create_collection", own, schema=schema, **options)
        self._ask("create_index", own, index_params=indexes, sync=False)  # nothing to wait for: it is empty
        self.open(own)
        return own

    def read_note(self, own: str) -> str:
        """Read a collection's note, empty where it has none."""
        return str(self._ask("describe_collection", own).get("properties", {}).get(PROPERTY, ""))

    def write_note(self, own: str, note: str) -> None:
        """Replace a collection's note."""
        self._ask("alter_collection_properties", own, properties={PROPERTY: note})

    def count(self, own: str) -> int:
        """Count the rows."""
        answer = self._ask("query", own, filter="", output_fields=["count(*)"], consistency_level=STRONG)
        return int(answer[0]["count(*)"])

    def open(self, own: str) -> None:
        """Make a collection searchable."""
        self._ask("load_collection", own)

    def flush(self, own: str) -> None:
        """Wait until what was written is in the server's files."""
        self._ask("flush", own)

    def write(self, own: str, rows: Rows, marks: Sequence[int], *, replacing: bool) -> None:
        """Insert rows; where some of their ids may be there, replace those, which costs more."""
        ids, vectors = rows.ids_N.tolist(), list(rows.vectors_ND)
        fields = zip(ids, vectors, marks, strict=True)
        records = [{"id": key, "vector": vector, "mark": mark} for key, vector, mark in fields]
        self._ask("upsert" if replacing else "insert", own, records)

    def delete(self, own: str, ids: Sequence[int]) -> None:
        """Remove rows."""
        self._ask("delete", own, ids=list(ids))

    def drop(self, own: str) -> None:
        """Remove a collection."""
        self._ask("drop_collection", own)

    def marks(self, own: str, ids: Sequence[int]) -> dict[int, int]:
        """Give the marks of those rows that are there."""
        found = self._ask("get", own, ids=list(ids), output_fields=["id", "mark"], consistency_level=STRONG)
        return {int(row["id"]): int(row["mark"]) for row in found}

    def rows(self, own: str, ids: Sequence[int]) -> Rows:
        """Give the vectors of those rows that are there, in the order of their ids."""
        fields = ["id", "vector"]
        return _sorted(self._ask("get", own, ids=list(ids), output_fields=fields, consistency_level=STRONG))

    def all_rows(self, own: str, batch: int) -> Iterator[Rows]:
        """Give all rows, batch by batch."""
        fields = ["id", "vector"]
        batches = self._ask("query_iterator", own, batch_size=batch, filter="id >= 0", output_fields=fields)
        try:
            while found := batches.next():
                yield _sorted(found)
        except self._refusal as error:
            raise self._refused("query_iterator", error) from error
        finally:
            batches.close()

    def search(
        self, own: str, queries_QW: NDArray[np.float32], count: int, parameters: Mapping[str, Any]
    ) -> Iterator[Rows]:
        """Give the best rows of each query, up to `count`, in the order of their ids."""
        together = min(TOGETHER, max(1, ANSWER // (4 * count * queries_QW.shape[1])))
        for start in range(0, len(queries_QW), together):
            answers = self._ask(
                "search",
                own,
                data=list(queries_QW[start : start + together]),
                limit=count,
                output_fields=["vector"],
                search_params={"params": dict(parameters)},
                consistency_level=STRONG,
            )
            for hits in answers:
                yield _sorted([{"id": hit["id"], "vector": hit["entity"]["vector"]} for hit in hits])

    def close(self) -> None:
        """Let go of the connection; a file stays this process's until it ends."""
        self._client.close()

    def _ask(self, verb: str, *arguments: Any, **options: Any) -> Any:
        try:
            return getattr(self._client, verb)(*arguments, timeout=self._timeout, **options)
        except self._refusal as error:
            raise self._refused(verb, error) from error

    def _refused(self, verb: str, error: Exception) -> ValueError:
        return ValueError(
            f"the Milvus at {self.place} does not {verb.replace('_', ' ')}: {_line(error)}; see that it runs "
            "and that no other process writes there, then load or build the index again"
        )


def _sorted(found: Sequence[Mapping[str, Any]]) -> Rows:
    ids = np.array([row["id"] for row in found], dtype=np.int64)
    order = np.argsort(ids)
    width = len(found[0]["vector"]) if found else 0
    vectors = np.array([row["vector"] for row in found], dtype=np.float32).reshape(len(found), width)
    return Rows(vectors[order], ids[order])


def _line(error: Exception) -> str:
    text = str(getattr(error, "message", None) or error).strip() or type(error).__name__
    return text.splitlines()[0]
