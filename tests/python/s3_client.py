"""Drives the endpoint of S3 with boto3, in parts, each against a server of its own.

Usage: s3_client.py PART S3_URL REST_URL BUCKET [ACCESS_KEY_ID SECRET_ACCESS_KEY BEARER]
"""

import base64
import datetime
import hashlib
import http.client
import io
import json
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

import boto3
from botocore import UNSIGNED
from botocore.auth import HmacV1Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError


class Place:
    def __init__(self, endpoint, rest, bucket, key=None, secret=None, bearer=None):
        self.endpoint, self.rest, self.bucket = endpoint, rest, bucket
        self.key, self.secret, self.bearer = key, secret, bearer
        self.s3 = self.client()

    def client(self, **other):
        # Without a word boto3 signs URLs with version 2.
        version = {"signature_version": "s3v4" if self.key else UNSIGNED}
        config = Config(
            s3={"addressing_style": "path"}, retries={"max_attempts": 1, "mode": "standard"}, **version, **other.pop("config", {})
        )
        keys = {"aws_access_key_id": self.key, "aws_secret_access_key": self.secret}
        return boto3.client(
            "s3", endpoint_url=self.endpoint, region_name="us-east-1", config=config, **{**keys, **other}
        )

    def put(self, key, body, **other):
        return self.s3.put_object(Bucket=self.bucket, Key=key, Body=body, **other)

    def get(self, key, **other):
        return self.s3.get_object(Bucket=self.bucket, Key=key, **other)

    def text(self, key, **other):
        return self.get(key, **other)["Body"].read()

    def ask(self, path, body=None, method=None):
        headers = {"Authorization": f"Bearer {self.bearer}"} if self.bearer else {}
        data = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = json.dumps(body).encode()
        request = urllib.request.Request(f"{self.rest}/v1/{path}", data=data, headers=headers, method=method)
        with urllib.request.urlopen(request) as reply:
            return json.load(reply)

    def raw(self, method, target, headers=None, body=None):
        """A request whose target no library tidies up."""
        where = urllib.parse.urlsplit(self.endpoint)
        connection = http.client.HTTPConnection(where.hostname, where.port, timeout=30)
        connection.request(method, target, body=body, headers=headers or {})
        reply = connection.getresponse()
        return reply.status, reply.read().decode()


def fails(code, work, status=None):
    """Checks that something is refused with one of these codes."""
    codes = code if isinstance(code, tuple) else (code,)
    try:
        reply = work()
    except ClientError as error:
        found = error.response["Error"]["Code"]
        assert found in codes, f"{found}, not {codes}: {error}"
        if status:
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] == status, error
        return error.response["Error"].get("Message", "")
    raise AssertionError(f"not refused with {codes}: {reply}")


def hash_of(body):
    return hashlib.sha256(body).hexdigest()


def calls(place):
    s3, bucket = place.s3, place.bucket
    assert bucket in [row["Name"] for row in s3.list_buckets()["Buckets"]]
    s3.head_bucket(Bucket=bucket)
    assert s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] is None
    fails(("404", "NoSuchBucket"), lambda: s3.head_bucket(Bucket="no-such"), 404)
    fails("NoSuchBucket", lambda: s3.list_objects_v2(Bucket="no-such"))
    fails("BucketAlreadyOwnedByYou", lambda: s3.create_bucket(Bucket=bucket))

    text = b"# Notes\nThe lighthouse keeper left at dawn.\n"
    put = place.put("notes/today.md", text)
    tag = put["ETag"]
    assert tag == f'"{hash_of(text)}-1"', tag
    head = s3.head_object(Bucket=bucket, Key="notes/today.md")
    assert (head["ContentLength"], head["ETag"], head["AcceptRanges"]) == (len(text), tag, "bytes"), head
    age = datetime.datetime.now(datetime.timezone.utc) - head["LastModified"]
    assert abs(age.total_seconds()) < 60, age
    got = place.get("notes/today.md")
    assert got["Body"].read() == text and got["ETag"] == tag
    assert got["ChecksumSHA256"] == base64.b64encode(hashlib.sha256(text).digest()).decode()

    # Overwritten, it is the new one at once, in each reply.
    other = b"# Notes\nThe lighthouse keeper came back.\n"
    place.put("notes/today.md", other)
    assert place.text("notes/today.md") == other
    listed = s3.list_objects_v2(Bucket=bucket)["Contents"]
    assert [(row["Key"], row["Size"], row["ETag"]) for row in listed] == [
        ("notes/today.md", len(other), f'"{hash_of(other)}-1"')
    ], listed

    # Ranges.
    assert place.text("notes/today.md", Range="bytes=0-6") == other[:7]
    part = place.get("notes/today.md", Range="bytes=8-")
    assert part["Body"].read() == other[8:] and part["ContentRange"] == f"bytes 8-{len(other) - 1}/{len(other)}"
    assert place.text("notes/today.md", Range="bytes=-5") == other[-5:]
    assert place.text("notes/today.md", Range="bytes=5-100000") == other[5:]
    fails("InvalidRange", lambda: place.get("notes/today.md", Range=f"bytes={len(other)}-"), 416)

    # An empty file, and a large one that comes in many pieces.
    place.put("empty.txt", b"")
    assert place.text("empty.txt") == b""
    large = bytes(range(256)) * 40_000
    place.put("large.bin", large)
    assert place.text("large.bin") == large
    assert place.text("large.bin", Range="bytes=1000000-1000009") == large[1000000:1000010]

    # Copies.
    source = {"Bucket": bucket, "Key": "notes/today.md"}
    copied = s3.copy_object(Bucket=bucket, Key="notes/copy of it.md", CopySource=source)
    assert copied["CopyObjectResult"]["ETag"] == f'"{hash_of(other)}-1"'
    assert place.text("notes/copy of it.md") == other
    s3.copy_object(Bucket=bucket, Key="notes/today.md", CopySource=source, MetadataDirective="REPLACE")
    fails("NoSuchKey", lambda: s3.copy_object(Bucket=bucket, Key="x", CopySource={"Bucket": bucket, "Key": "no"}))

    # Folders.
    fails("404", lambda: s3.head_object(Bucket=bucket, Key="folder/"))
    place.put("folder/", b"")
    assert s3.head_object(Bucket=bucket, Key="folder/")["ContentType"] == "application/x-directory"
    s3.delete_object(Bucket=bucket, Key="folder/")
    fails("404", lambda: s3.head_object(Bucket=bucket, Key="folder/"))
    assert s3.head_object(Bucket=bucket, Key="notes/")["ContentLength"] == 0
    fails("InvalidArgument", lambda: place.put("folder/", b"words"))

    # Deletions.
    s3.delete_object(Bucket=bucket, Key="notes/copy of it.md")
    s3.delete_object(Bucket=bucket, Key="notes/copy of it.md")
    fails("NoSuchKey", lambda: place.get("notes/copy of it.md"), 404)
    fails("404", lambda: s3.head_object(Bucket=bucket, Key="notes/copy of it.md"))
    wanted = [{"Key": "empty.txt"}, {"Key": "large.bin"}, {"Key": "never was"}, {"Key": "../up"}]
    done = s3.delete_objects(Bucket=bucket, Delete={"Objects": wanted})
    assert sorted(row["Key"] for row in done["Deleted"]) == ["empty.txt", "large.bin", "never was"], done
    assert [(row["Key"], row["Code"]) for row in done["Errors"]] == [("../up", "InvalidArgument")], done
    assert [row["Key"] for row in s3.list_objects(Bucket=bucket)["Contents"]] == ["notes/today.md"]

    # What there is no verb for is refused as such.
    fails("NotImplemented", lambda: s3.get_object_tagging(Bucket=bucket, Key="notes/today.md"))
    fails("NotImplemented", lambda: s3.delete_bucket(Bucket=bucket))


def conditions(place):
    s3, bucket = place.s3, place.bucket
    first = place.put("a.md", b"first", IfNoneMatch="*")["ETag"]
    fails("PreconditionFailed", lambda: place.put("a.md", b"again", IfNoneMatch="*"), 412)
    second = place.put("a.md", b"second", IfMatch=first)["ETag"]
    fails("PreconditionFailed", lambda: place.put("a.md", b"late", IfMatch=first), 412)
    fails("PreconditionFailed", lambda: place.put("new.md", b"late", IfMatch=first), 412)
    fails("PreconditionFailed", lambda: place.put("a.md", b"late", IfMatch='"5d41402abc4b2a76b9719d911017c592"'), 412)
    fails("NotImplemented", lambda: place.put("a.md", b"late", IfNoneMatch=first), 501)
    assert place.text("a.md") == b"second"

    assert place.text("a.md", IfMatch=second) == b"second"
    fails("PreconditionFailed", lambda: place.get("a.md", IfMatch=first), 412)
    fails("304", lambda: place.get("a.md", IfNoneMatch=second), 304)
    assert place.text("a.md", IfNoneMatch=first) == b"second"
    now = datetime.datetime.now(datetime.timezone.utc)
    hour = datetime.timedelta(hours=1)
    fails("304", lambda: place.get("a.md", IfModifiedSince=now + hour), 304)
    fails("PreconditionFailed", lambda: place.get("a.md", IfUnmodifiedSince=now - hour), 412)
    assert place.text("a.md", IfModifiedSince=now - hour, IfUnmodifiedSince=now + hour) == b"second"

    source = {"Bucket": bucket, "Key": "a.md"}
    fails("PreconditionFailed", lambda: s3.copy_object(Bucket=bucket, Key="b.md", CopySource=source, CopySourceIfMatch=first))
    s3.copy_object(Bucket=bucket, Key="b.md", CopySource=source, CopySourceIfMatch=second)
    fails("PreconditionFailed", lambda: s3.delete_object(Bucket=bucket, Key="a.md", IfMatch=first), 412)
    s3.delete_object(Bucket=bucket, Key="a.md", IfMatch=second)

    # REST's ETag holds here, and of many who write if absent, one does.
    rest = hash_of(b"second")
    place.put("b.md", b"third", IfMatch=f'"{rest}"')
    outcomes = []

    def write(number):
        try:
            place.client().put_object(Bucket=bucket, Key="race.md", Body=f"{number}".encode(), IfNoneMatch="*")
            outcomes.append(number)
        except ClientError as error:
            assert error.response["Error"]["Code"] == "PreconditionFailed", error

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 1 and place.text("race.md") == f"{outcomes[0]}".encode(), outcomes

    # Digests.
    words = b"words"
    md5 = base64.b64encode(hashlib.md5(words).digest()).decode()
    place.put("sum.md", words, ContentMD5=md5)
    wrong = base64.b64encode(hashlib.md5(b"other").digest()).decode()
    fails("BadDigest", lambda: place.put("sum.md", b"not these", ContentMD5=md5), 400)
    fails("InvalidDigest", lambda: place.put("sum.md", words, ContentMD5="bm9uZQ=="), 400)
    for algorithm in ["CRC32", "SHA1", "SHA256"]:
        reply = place.put("sum.md", words, ChecksumAlgorithm=algorithm)
        assert reply[f"Checksum{algorithm}"], reply
    other = base64.b64encode(hashlib.sha256(b"other").digest()).decode()
    fails("BadDigest", lambda: place.put("sum.md", b"not these", ChecksumSHA256=other), 400)
    assert place.text("sum.md") == words and wrong != md5
    # Chunks that are signed one by one, and digests behind the body.
    stream = io.BufferedReader(io.BytesIO(b"x" * 300_000))
    place.put("chunks.bin", stream, ChecksumAlgorithm="CRC32")
    assert len(place.text("chunks.bin")) == 300_000


def multipart(place):
    s3, bucket = place.s3, place.bucket
    whole = bytes(range(256)) * 60_000
    s3.upload_fileobj(io.BytesIO(whole), bucket, "runs/whole.bin")
    assert place.text("runs/whole.bin") == whole
    s3.download_fileobj(bucket, "runs/whole.bin", sink := io.BytesIO())
    assert sink.getvalue() == whole
    assert s3.head_object(Bucket=bucket, Key="runs/whole.bin")["ETag"] == f'"{hash_of(whole)}-1"'
    assert not s3.list_multipart_uploads(Bucket=bucket).get("Uploads")

    upload = s3.create_multipart_upload(Bucket=bucket, Key="runs/parts.md")["UploadId"]
    of = {"Bucket": bucket, "Key": "runs/parts.md", "UploadId": upload}
    tags = {}
    for number, text in [(3, b"three"), (1, b"wrong"), (2, b"two "), (1, b"one ")]:
        tags[number] = s3.upload_part(PartNumber=number, Body=text, **of)["ETag"]
    parts = s3.list_parts(**of)["Parts"]
    assert [(part["PartNumber"], part["Size"], part["ETag"]) for part in parts] == [
        (1, 4, tags[1]), (2, 4, tags[2]), (3, 5, tags[3])
    ], parts
    page = s3.list_parts(MaxParts=2, **of)
    assert page["IsTruncated"] and page["NextPartNumberMarker"] == 2
    assert [part["PartNumber"] for part in s3.list_parts(PartNumberMarker=2, **of)["Parts"]] == [3]
    uploads = s3.list_multipart_uploads(Bucket=bucket, Prefix="runs/")["Uploads"]
    assert [(row["Key"], row["UploadId"]) for row in uploads] == [("runs/parts.md", upload)], uploads
    # Nothing of it is a file yet.
    assert [row["Key"] for row in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["runs/whole.bin"]

    def complete(numbers, told=tags, **other):
        named = [{"PartNumber": number, "ETag": told[number]} for number in numbers]
        return s3.complete_multipart_upload(MultipartUpload={"Parts": named}, **of, **other)

    fails("InvalidPartOrder", lambda: complete([2, 1]), 400)
    fails("InvalidPart", lambda: complete([1, 2], {1: tags[3], 2: tags[2]}), 400)
    fails("InvalidPart", lambda: complete([4], {4: tags[3]}), 400)
    place.put("runs/parts.md", b"somebody else")
    fails("PreconditionFailed", lambda: complete([1, 2, 3], IfNoneMatch="*"), 412)
    done = complete([1, 2, 3], IfMatch=f'"{hash_of(b"somebody else")}-1"')
    assert done["ETag"] == f'"{hash_of(b"one two three")}-1"', done
    assert place.text("runs/parts.md") == b"one two three"
    fails("NoSuchUpload", lambda: complete([1, 2, 3]), 404)
    fails("NoSuchUpload", lambda: s3.upload_part(PartNumber=1, Body=b"late", **of), 404)

    # Given up; and parts that are copied from files.
    gone = s3.create_multipart_upload(Bucket=bucket, Key="runs/gone.md")["UploadId"]
    of_gone = {"Bucket": bucket, "Key": "runs/gone.md", "UploadId": gone}
    fails("NoSuchUpload", lambda: s3.upload_part(PartNumber=1, Body=b"x", **{**of_gone, "Key": "runs/other.md"}))
    fails("InvalidPart", lambda: s3.upload_part(PartNumber=10_001, Body=b"x", **of_gone), 400)
    source = {"Bucket": bucket, "Key": "runs/whole.bin"}
    copied = s3.upload_part_copy(PartNumber=1, CopySource=source, CopySourceRange="bytes=0-9", **of_gone)
    assert copied["CopyPartResult"]["ETag"] == f'"{hash_of(whole[:10])}-1"', copied
    s3.abort_multipart_upload(**of_gone)
    fails("NoSuchUpload", lambda: s3.list_parts(**of_gone))
    fails("NoSuchUpload", lambda: s3.abort_multipart_upload(**{**of_gone, "UploadId": "../../pincite.db"}))
    big = [{"Bucket": bucket, "Key": "runs/whole.bin"}]
    s3.copy(big[0], bucket, "runs/copied.bin")
    assert hash_of(place.text("runs/copied.bin")) == hash_of(whole)


def listing(place, most=2_500):
    s3, bucket = place.s3, place.bucket
    names = [f"many/{number % 7}/file {number:04}.txt" for number in range(most)]
    unicode = ["ünï/naïve file+&.md", "日本/報告.md", "emoji 😀.txt", "a%2Fb.txt", "~tilde.txt", "many.txt", "many-more.txt"]
    names += unicode

    def write(of_thread):
        client = place.client()
        for name in of_thread:
            client.put_object(Bucket=bucket, Key=name, Body=name.encode())

    threads = [threading.Thread(target=write, args=(names[start::8],)) for start in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = sorted(names, key=lambda name: name.encode())

    def keys(call, field="Key", of="Contents", **how):
        pages = s3.get_paginator(call).paginate(Bucket=bucket, **how)
        return [row[field] for page in pages for row in page.get(of, [])]

    assert keys("list_objects_v2") == expected
    assert keys("list_objects") == expected
    assert keys("list_objects_v2", PaginationConfig={"PageSize": 333}) == expected
    assert keys("list_objects", PaginationConfig={"PageSize": 100}, Prefix="many/3/") == [
        name for name in expected if name.startswith("many/3/")
    ]
    for size in [1, 2, 3, 1000]:
        how = {"Delimiter": "/", "PaginationConfig": {"PageSize": size}}
        assert sorted(keys("list_objects_v2", "Prefix", "CommonPrefixes", **how)) == sorted(["many/", "ünï/", "日本/"])
        assert keys("list_objects_v2", **how) == [name for name in expected if "/" not in name], size
        assert sorted(keys("list_objects", "Prefix", "CommonPrefixes", **how)) == sorted(["many/", "ünï/", "日本/"])
    below = keys("list_objects_v2", "Prefix", "CommonPrefixes", Prefix="many/", Delimiter="/")
    assert below == [f"many/{number}/" for number in range(7)], below
    first = s3.list_objects_v2(Bucket=bucket)
    assert first["KeyCount"] == 1000 and first["IsTruncated"] and len(first["Contents"]) == 1000
    assert len(s3.list_objects_v2(Bucket=bucket, MaxKeys=5000)["Contents"]) == 1000
    none = s3.list_objects_v2(Bucket=bucket, MaxKeys=0)
    assert none["KeyCount"] == 0 and not none["IsTruncated"]
    after = s3.list_objects_v2(Bucket=bucket, StartAfter=expected[-2])
    assert [row["Key"] for row in after["Contents"]] == expected[-1:]
    fails("InvalidArgument", lambda: s3.list_objects_v2(Bucket=bucket, ContinuationToken="no token"))
    for name in unicode:
        assert place.text(name) == name.encode(), name
    # The same file in another spelling of its accents.
    assert place.text("u\u0308ni\u0308/nai\u0308ve file+&.md") == unicode[0].encode()
    for row in s3.list_objects_v2(Bucket=bucket, MaxKeys=50)["Contents"]:
        assert row["ETag"] == f'"{hash_of(row["Key"].encode())}-1"', row
    for start in range(0, len(names), 1000):
        wanted = [{"Key": name} for name in names[start : start + 1000]]
        done = s3.delete_objects(Bucket=bucket, Delete={"Objects": wanted, "Quiet": True})
        assert not done.get("Errors") and not done.get("Deleted"), done
    assert keys("list_objects_v2") == []


def keys(place):
    """Keys as an adversary writes them: refused, or a file of that name inside the workspace, never one outside."""
    s3, bucket = place.s3, place.bucket
    refused = [
        "..", "../up.md", "a/../../up.md", "a/..", "./a.md", "a/./b.md", "/etc/passwd", "//a.md", "a//b.md", "a\\..\\b.md",
        "a\0b.md", ".git/config", "a/.git/hooks/post-commit", ".hidden.md", "..a", "con", "a/NUL.txt", "x" * 256, "a/" * 101 + "b",
    ]
    for key in refused:
        fails(("InvalidArgument", "InvalidRequest", "InvalidURI"), lambda key=key: place.put(key, b"x"), 400)
        fails(("InvalidArgument", "NoSuchKey", "InvalidRequest"), lambda key=key: place.get(key))
        fails(("InvalidArgument", "InvalidRequest"), lambda key=key: s3.create_multipart_upload(Bucket=bucket, Key=key), 400)
        source = {"Bucket": bucket, "Key": key}
        fails(("InvalidArgument", "NoSuchKey", "InvalidRequest"), lambda source=source: s3.copy_object(Bucket=bucket, Key="b.md", CopySource=source))
    fails("KeyTooLongError", lambda: place.put("a/" * 512 + "b", b"x"), 400)
    long = "/".join(["d" * 100] * 10) + "/" + "e" * 13
    assert len(long) == 1023
    taken = [long, "trailing.", "a/trailing...", "%2e%2e/%2e%2e/up.md", "a..", "sp ace ", "plus+plus", "a=b&c?d#e", "'\"<>|*", "%00", "new\nline"]
    for key in taken:
        place.put(key, key.encode())
        assert place.text(key) == key.encode(), key
    listed = [row["Key"] for row in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    assert listed == sorted(taken), listed
    # In a target that no library tidies up, without a signature: refused before anything else is looked at.
    for target in [f"/{bucket}/../../etc/passwd", f"/{bucket}/%2e%2e/x", f"/{bucket}/%00", f"/{bucket}/%ff", "//x", "/..", "/%2e%2e/x", f"/{bucket}/a%5cb"]:
        for method in ["GET", "PUT", "DELETE"]:
            status, text = place.raw(method, target)
            assert 400 <= status < 500 and "<Error>" in text, (method, target, status, text)
    for name in ["UPPER", "-a", "a" * 65, "a/b"]:
        status, text = place.raw("GET", f"/{name}?list-type=2")
        assert 400 <= status < 500 and "<Error>" in text, (name, status, text)


def signatures(place):
    s3, bucket = place.s3, place.bucket
    place.put("signed.md", b"signed")
    good = place.secret
    for key, secret, code in [
        (place.key, good[:-1] + ("0" if good[-1] != "0" else "1"), "SignatureDoesNotMatch"),
        ("00000000", good, "InvalidAccessKeyId"),
        ("../../x", good, "InvalidAccessKeyId"),
    ]:
        client = place.client(aws_access_key_id=key, aws_secret_access_key=secret)
        fails(code, lambda client=client: client.get_object(Bucket=bucket, Key="signed.md"), 403)
        fails(code, lambda client=client: client.put_object(Bucket=bucket, Key="signed.md", Body=b"forged"), 403)
    unsigned = Place(place.endpoint, place.rest, bucket).s3
    fails("AccessDenied", lambda: unsigned.get_object(Bucket=bucket, Key="signed.md"), 403)
    fails("AccessDenied", lambda: unsigned.list_buckets(), 403)
    # The key of REST opens nothing here, and what S3 signs with nothing there.
    status, text = place.raw("GET", f"/{bucket}/signed.md", {"Authorization": f"Bearer {place.bearer}"})
    assert status == 501 and "NotImplemented" in text, (status, text)

    # URLs that are signed.
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "signed.md"}, ExpiresIn=60)
    with urllib.request.urlopen(url) as reply:
        assert reply.read() == b"signed"

    def status_of(url, method="GET", data=None):
        try:
            with urllib.request.urlopen(urllib.request.Request(url, method=method, data=data)) as reply:
                return reply.status
        except urllib.error.HTTPError as error:
            return error.code

    assert status_of(url.replace("signed.md", "other.md")) == 403
    assert status_of(url, "DELETE") == 403
    assert status_of(url + "0") in (400, 403)
    assert status_of(url.replace("X-Amz-Expires=60", "X-Amz-Expires=600")) == 403
    put = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "by url.md"}, ExpiresIn=60)
    assert status_of(put, "PUT", b"by URL") == 200 and place.text("by url.md") == b"by URL"
    old = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "signed.md"}, ExpiresIn=1)
    deadline = time.monotonic() + 20
    while status_of(old) == 200:
        assert time.monotonic() < deadline, "a URL that is over is taken"
    assert status_of(old) == 403

    # Version 2 is refused, in the header and in the URL.
    request = AWSRequest("GET", f"{place.endpoint}/{bucket}/signed.md")
    HmacV1Auth(Credentials(place.key, place.secret)).add_auth(request)
    status, text = place.raw("GET", f"/{bucket}/signed.md", dict(request.headers.items()))
    assert status == 501, (status, text)
    # A header that the signature does not cover is not taken.
    prepared = {}
    s3.meta.events.register_last("before-send.s3.GetObject", lambda request, **_: prepared.update(request=request) or None)
    place.text("signed.md")
    sent = {name: value if isinstance(value, str) else value.decode() for name, value in prepared["request"].headers.items()}
    assert place.raw("GET", f"/{bucket}/signed.md", sent)[0] == 200
    assert place.raw("GET", f"/{bucket}/signed.md", {**sent, "x-amz-meta-more": "x"})[0] == 400
    # The body is the one that was signed.
    s3.meta.events.register_last("before-send.s3.PutObject", lambda request, **_: prepared.update(put=request) or None)
    whole = place.client(config={"request_checksum_calculation": "when_required"})
    whole.meta.events.register_last("before-send.s3.PutObject", lambda request, **_: prepared.update(put=request) or None)
    whole.put_object(Bucket=bucket, Key="body.md", Body=b"the signed body")
    sent = {name: value if isinstance(value, str) else value.decode() for name, value in prepared["put"].headers.items() if name.lower() != "expect"}
    if sent.get("X-Amz-Content-SHA256", "UNSIGNED-PAYLOAD") != "UNSIGNED-PAYLOAD":
        status, text = place.raw("PUT", f"/{bucket}/body.md", sent, b"another body 15")
        assert status == 400, (status, text)
    assert place.text("body.md") == b"the signed body"


def searchable(place):
    text = "# Report\nThe heliotrope sextant was calibrated on Tuesday.\n"
    started = time.monotonic()
    place.put("runs/7/report.md", text.encode())
    query = {"query": "heliotrope sextant", "mode": "lexical"}
    found = []
    while not found:
        assert time.monotonic() - started < 30, "it is not found"
        found = place.ask(f"workspaces/{place.bucket}/search", query)["hits"]
    print(f"searchable after {time.monotonic() - started:.3f} s")
    citation = found[0]["citation"]
    assert citation["path"] == "runs/7/report.md" and citation["content_hash"] == hash_of(text.encode()), citation
    assert citation["provenance"]["agent"] == "nightly", citation
    # What REST wrote is read here, and what is deleted here is found nowhere.
    place.s3.delete_object(Bucket=place.bucket, Key="runs/7/report.md")
    assert place.ask(f"workspaces/{place.bucket}/search", query)["hits"] == []


def anonymous(place):
    place.put("local.md", b"of this machine's user")
    assert place.text("local.md") == b"of this machine's user"
    assert place.s3.list_buckets()["Buckets"]
    place.s3.create_bucket(Bucket="made_by-s3.1")
    place.s3.put_object(Bucket="made_by-s3.1", Key="a.md", Body=b"a")
    place.s3.upload_fileobj(io.BytesIO(b"x" * 9_000_000), "made_by-s3.1", "parts.bin")
    # A page of another site cannot have the browser write here.
    for headers in [{"Host": "evil.example"}, {"Origin": "https://evil.example"}]:
        status, text = place.raw("PUT", f"/{place.bucket}/evil.md", headers, b"evil")
        assert status == 403 and "<Code>AccessDenied</Code>" in text, (status, text)
    fails("NoSuchKey", lambda: place.get("evil.md"))
    # Nor can a file be a page that a browser runs under this machine's name.
    place.put("page.html", b"<script>alert(1)</script>")
    fails("InvalidRequest", lambda: place.get("page.html", ResponseContentType="text/html"), 400)
    headers = place.get("page.html")["ResponseMetadata"]["HTTPHeaders"]
    assert headers["content-type"] == "binary/octet-stream" and headers["x-content-type-options"] == "nosniff", headers
    assert headers["content-security-policy"].startswith("sandbox"), headers
    # A signature of a key that there is none of is no lesser claim than none.
    signed = Place(place.endpoint, place.rest, place.bucket, "00000000", "x").s3
    fails("InvalidAccessKeyId", lambda: signed.list_buckets(), 403)


def rights(place):
    """The key may read, not write, and sees `open/**` alone."""
    s3, bucket = place.s3, place.bucket
    assert place.text("open/a.md") == b"open"
    assert [row["Key"] for row in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["open/a.md"]
    assert [row["Name"] for row in s3.list_buckets()["Buckets"]] == [bucket]
    fails("NoSuchKey", lambda: place.get("shut/b.md"), 404)
    fails("404", lambda: s3.head_object(Bucket=bucket, Key="shut/b.md"))
    fails("NoSuchKey", lambda: s3.copy_object(Bucket=bucket, Key="open/c.md", CopySource={"Bucket": bucket, "Key": "shut/b.md"}))
    fails("NoSuchBucket", lambda: s3.list_objects_v2(Bucket="other"), 404)
    fails("AccessDenied", lambda: place.put("open/a.md", b"x"), 403)
    fails("AccessDenied", lambda: s3.delete_object(Bucket=bucket, Key="open/a.md"), 403)
    fails("AccessDenied", lambda: s3.create_multipart_upload(Bucket=bucket, Key="open/a.md"), 403)
    assert not s3.list_multipart_uploads(Bucket=bucket).get("Uploads")
    fails("AccessDenied", lambda: s3.create_bucket(Bucket="new"), 403)
    done = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "open/a.md"}]})
    assert [row["Code"] for row in done["Errors"]] == ["AccessDenied"], done


def revoked(place):
    fails("InvalidAccessKeyId", lambda: place.s3.list_buckets(), 403)


def main():
    part, *where = sys.argv[1:]
    parts = [calls, conditions, multipart, listing, keys, signatures, searchable, anonymous, rights, revoked]
    {each.__name__: each for each in parts}[part](Place(*where))
    print(f"{part}: all as expected")


main()
