"""What boto3 makes of a server: puts, gets, lists, copies, uploads in parts and deletes, over http or https.

usage: boto.py URL [CA]   prints "ok NAME" for every step
"""

import io
import os
import sys
import threading
from datetime import datetime, timedelta, timezone

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

url = sys.argv[1]
ca = sys.argv[2] if len(sys.argv) > 2 else None
options = {"endpoint_url": url, "verify": ca, "region_name": "us-east-1"}
keys = {"aws_access_key_id": "testkey", "aws_secret_access_key": "testsecret"}
config = Config(signature_version="s3v4", retries={"max_attempts": 1}, s3={"addressing_style": "path"})
s3 = boto3.client("s3", config=config, **options, **keys)
BUCKET = "boto"
MIB = 2**20


def code_of(act):
    try:
        act()
    except ClientError as error:
        return error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
    return None


def objects():
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key="a/b c+d%é", Body=b"hello", Metadata={"colour": "red"}, ContentType="text/plain")
    got = s3.get_object(Bucket=BUCKET, Key="a/b c+d%é")
    assert got["Body"].read() == b"hello" and got["Metadata"] == {"colour": "red"}, got
    assert got["ContentType"] == "text/plain" and got["ETag"] == '"5d41402abc4b2a76b9719d911017c592"'
    part = s3.get_object(Bucket=BUCKET, Key="a/b c+d%é", Range="bytes=-2")
    assert part["Body"].read() == b"lo" and part["ContentRange"] == "bytes 3-4/5"
    assert s3.head_object(Bucket=BUCKET, Key="a/b c+d%é")["ContentLength"] == 5
    assert code_of(lambda: s3.get_object(Bucket=BUCKET, Key="absent")) == ("NoSuchKey", 404)
    assert code_of(lambda: s3.get_object(Bucket=BUCKET, Key="a/b c+d%é", Range="bytes=9-")) == ("InvalidRange", 416)
    assert code_of(lambda: s3.create_bucket(Bucket=BUCKET))[0] == "BucketAlreadyOwnedByYou"
    s3.put_object(Bucket=BUCKET, Key="empty", Body=b"")
    assert s3.get_object(Bucket=BUCKET, Key="empty")["Body"].read() == b""


def checksums():
    for algorithm in ("CRC32", "SHA1", "SHA256"):
        put = s3.put_object(Bucket=BUCKET, Key="summed", Body=b"x" * 70000, ChecksumAlgorithm=algorithm)
        got = s3.get_object(Bucket=BUCKET, Key="summed", ChecksumMode="ENABLED")
        assert got["Body"].read() == b"x" * 70000
        assert got[f"Checksum{algorithm}"] == put[f"Checksum{algorithm}"]
    wrong = {"ChecksumSHA256": "A" * 43 + "="}
    assert code_of(lambda: s3.put_object(Bucket=BUCKET, Key="summed", Body=b"y", **wrong)) == ("BadDigest", 400)
    stream = io.BytesIO(os.urandom(300000))
    s3.put_object(Bucket=BUCKET, Key="streamed", Body=stream)
    assert s3.get_object(Bucket=BUCKET, Key="streamed")["Body"].read() == stream.getvalue()


def listings():
    names = [f"k/{name}" for name in ("1", "a b", "a+b", "d/1", "d/2", "/x", "é", "\U0001f600", "\uffee", "<&>", "%41")]
    for name in names:
        s3.put_object(Bucket=BUCKET, Key=name, Body=b"x")
    for operation in ("list_objects_v2", "list_objects"):
        pages = s3.get_paginator(operation).paginate(Bucket=BUCKET, Prefix="k/", PaginationConfig={"PageSize": 2})
        found = [entry["Key"] for page in pages for entry in page["Contents"]]
        assert found == sorted(names, key=lambda name: name.encode()), found
        pages = s3.get_paginator(operation).paginate(
            Bucket=BUCKET, Prefix="k/", Delimiter="/", PaginationConfig={"PageSize": 2}
        )
        found = [entry["Prefix"] for page in pages for entry in page.get("CommonPrefixes", [])]
        assert found == ["k//", "k/d/"], found
    after = s3.list_objects_v2(Bucket=BUCKET, Prefix="k/", StartAfter="k/d/1")
    assert [entry["Key"] for entry in after["Contents"]][0] == "k/d/2"


def parts():
    body = os.urandom(11 * MIB + 3)
    transfer = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB, max_concurrency=3)
    s3.upload_fileobj(io.BytesIO(body), BUCKET, "large", Config=transfer)
    head = s3.head_object(Bucket=BUCKET, Key="large")
    assert head["ETag"].endswith('-3"') and head["ContentLength"] == len(body), head
    into = io.BytesIO()
    s3.download_fileobj(BUCKET, "large", into, Config=transfer)
    assert into.getvalue() == body
    s3.copy({"Bucket": BUCKET, "Key": "large"}, BUCKET, "copied", Config=transfer)
    assert s3.get_object(Bucket=BUCKET, Key="copied")["Body"].read() == body
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key="left")["UploadId"]
    s3.upload_part(Bucket=BUCKET, Key="left", UploadId=upload, PartNumber=1, Body=b"x")
    listed = s3.get_paginator("list_multipart_uploads").paginate(Bucket=BUCKET)
    assert [entry["UploadId"] for page in listed for entry in page.get("Uploads", [])] == [upload]
    s3.abort_multipart_upload(Bucket=BUCKET, Key="left", UploadId=upload)
    assert code_of(lambda: s3.list_parts(Bucket=BUCKET, Key="left", UploadId=upload)) == ("NoSuchUpload", 404)


def presigned():
    import ssl
    import urllib.request

    context = ssl.create_default_context(cafile=ca) if ca else None
    signed = s3.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "a/b c+d%é"})
    with urllib.request.urlopen(signed, context=context) as answer:
        assert answer.read() == b"hello"
    sent = s3.generate_presigned_url("put_object", Params={"Bucket": BUCKET, "Key": "sent"})
    with urllib.request.urlopen(urllib.request.Request(sent, b"by url", method="PUT"), context=context):
        pass
    assert s3.get_object(Bucket=BUCKET, Key="sent")["Body"].read() == b"by url"


def conditions():
    etag = s3.put_object(Bucket=BUCKET, Key="once", Body=b"1", IfNoneMatch="*")["ETag"]
    taken = lambda: s3.put_object(Bucket=BUCKET, Key="once", Body=b"2", IfNoneMatch="*")  # noqa: E731
    assert code_of(taken) == ("PreconditionFailed", 412)
    assert code_of(lambda: s3.get_object(Bucket=BUCKET, Key="once", IfNoneMatch=etag)) == ("304", 304)
    future = datetime.now(timezone.utc) + timedelta(hours=1)
    assert code_of(lambda: s3.get_object(Bucket=BUCKET, Key="once", IfModifiedSince=future)) == ("304", 304)
    racers, won = [], []
    for i in range(8):
        put = lambda i=i: code_of(  # noqa: E731
            lambda: s3.put_object(Bucket=BUCKET, Key="raced", Body=str(i).encode(), IfNoneMatch="*")
        ) or won.append(i)
        racers.append(threading.Thread(target=put))
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert len(won) == 1 and s3.get_object(Bucket=BUCKET, Key="raced")["Body"].read() == str(won[0]).encode(), won


def refusals():
    other = boto3.client("s3", config=config, **options, aws_access_key_id="other", aws_secret_access_key="x")
    assert code_of(other.list_buckets) == ("InvalidAccessKeyId", 403)
    wrong = boto3.client("s3", config=config, **options, aws_access_key_id="testkey", aws_secret_access_key="x")
    assert code_of(wrong.list_buckets) == ("SignatureDoesNotMatch", 403)


def removal():
    assert code_of(lambda: s3.delete_bucket(Bucket=BUCKET)) == ("BucketNotEmpty", 409)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    for page in pages:
        batch = {"Objects": [{"Key": entry["Key"]} for entry in page["Contents"]], "Quiet": True}
        assert "Errors" not in s3.delete_objects(Bucket=BUCKET, Delete=batch)
    s3.delete_bucket(Bucket=BUCKET)
    assert s3.list_buckets()["Buckets"] == []


for step in (objects, checksums, listings, parts, presigned, conditions, refusals, removal):
    step()
    print("ok", step.__name__, flush=True)
