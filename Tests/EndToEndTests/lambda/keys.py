"""Who is let in where access keys are configured: right and wrong signatures in every form that clients send."""

import datetime
import hashlib
import hmac
import http.client
import json
import urllib.parse

import botocore.auth
import botocore.awsrequest
import botocore.credentials
from client import ROLE, client, equal, expect, main, package, refused

FUNCTIONS = "/2015-03-31/functions"


def send(url, request, body=None):
    place = urllib.parse.urlparse(url)
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=20)
    parts = urllib.parse.urlparse(request.url)
    target = parts.path + ("?" + parts.query if parts.query else "")
    connection.request(request.method, target, body if body is not None else request.data, dict(request.headers))
    answer = connection.getresponse()
    data = answer.read()
    connection.close()
    return answer.status, answer.getheader("x-amzn-errortype"), data


class Signer:
    """Signs as AWS's documents say, independently of botocore, at any time and in any form of payload."""

    def __init__(self, key, secret, service="lambda", when=None):
        self.key, self.service = key, service
        now = when or datetime.datetime.now(datetime.timezone.utc)
        self.time = now.strftime("%Y%m%dT%H%M%SZ")
        self.scope = f"{self.time[:8]}/us-east-1/{service}/aws4_request"
        signing = ("AWS4" + secret).encode()
        for part in self.scope.split("/"):
            signing = hmac.new(signing, part.encode(), hashlib.sha256).digest()
        self.signing = signing

    def sign(self, text):
        return hmac.new(self.signing, text.encode(), hashlib.sha256).hexdigest()

    def headers(self, method, host, path, query="", payload=b"", digest=None, more=None):
        headers = {"host": host, "x-amz-date": self.time, **(more or {})}
        if digest:
            headers["x-amz-content-sha256"] = digest
        names = ";".join(sorted(headers))
        canonical = "\n".join([
            method, path, query, *(f"{name}:{headers[name]}" for name in sorted(headers)), "", names,
            digest or hashlib.sha256(payload).hexdigest()])
        text = "\n".join(
            ["AWS4-HMAC-SHA256", self.time, self.scope, hashlib.sha256(canonical.encode()).hexdigest()])
        self.seed = self.sign(text)
        headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self.key}/{self.scope}, SignedHeaders={names}, Signature={self.seed}")
        return headers

    def chunks(self, pieces, trailer=None):
        """The signed chunks of a body, after ``headers``."""
        body, previous = b"", self.seed
        nothing = hashlib.sha256(b"").hexdigest()
        for piece in [*pieces, b""]:
            previous = self.sign("\n".join([
                "AWS4-HMAC-SHA256-PAYLOAD", self.time, self.scope, previous, nothing,
                hashlib.sha256(piece).hexdigest()]))
            body += f"{len(piece):x};chunk-signature={previous}\r\n".encode() + piece + (b"\r\n" if piece else b"")
        if trailer:
            signature = self.sign("\n".join([
                "AWS4-HMAC-SHA256-TRAILER", self.time, self.scope, previous,
                hashlib.sha256((trailer + "\n").encode()).hexdigest()]))
            body += f"{trailer}\r\nx-amz-trailer-signature:{signature}\r\n\r\n".encode()
        return body


class Raw:
    """A request as it is sent."""

    def __init__(self, method, url, headers, data=b""):
        self.method, self.url, self.headers, self.data = method, url, headers, data


def refusals(url, key, secret):
    place = urllib.parse.urlparse(url).netloc

    def ask(headers, path=FUNCTIONS, method="GET", data=b""):
        return send(url, Raw(method, url + path, headers, data))[:2]

    equal(ask({"host": place}), (403, "MissingAuthenticationTokenException"))
    good = Signer(key, secret).headers("GET", place, FUNCTIONS + "/")
    equal(ask(good, FUNCTIONS + "/")[0], 200)
    equal(ask(Signer("nobody", secret).headers("GET", place, FUNCTIONS)), (403, "UnrecognizedClientException"))
    equal(ask(Signer(key, "w" * 40).headers("GET", place, FUNCTIONS)), (403, "InvalidSignatureException"))
    equal(ask(good, FUNCTIONS + "/?MaxItems=1"), (403, "InvalidSignatureException"))
    equal(ask(good, "/2016-08-19/account-settings"), (403, "InvalidSignatureException"))
    equal(ask({**good, "x-amz-date": "20200101T000000Z"}), (403, "InvalidSignatureException"))
    now = datetime.datetime.now(datetime.timezone.utc)
    for minutes in (-6, 6):
        when = now + datetime.timedelta(minutes=minutes)
        status, name, data = send(url, Raw("GET", url + FUNCTIONS, Signer(key, secret, when=when).headers(
            "GET", place, FUNCTIONS)))
        equal((status, name), (403, "InvalidSignatureException"))
        expect(b"Signature expired" in data or b"Signature not yet current" in data, data)
    for minutes in (-4, 4):
        when = now + datetime.timedelta(minutes=minutes)
        equal(ask(Signer(key, secret, when=when).headers("GET", place, FUNCTIONS))[0], 200)
    for header in (
            "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 Credential=a", "AWS4-ECDSA-P256-SHA256 Credential=a/b/c/d/e",
            f"AWS4-HMAC-SHA256 Credential={key}/x, SignedHeaders=host, Signature=x",
            f"AWS4-HMAC-SHA256 Credential={key}/20260101/r/lambda/aws4_request, SignedHeaders=host"):
        equal(ask({"host": place, "x-amz-date": "20260101T000000Z", "authorization": header}),
              (403, "IncompleteSignatureException"))
    # What is not signed does not count, and what was signed must come.
    signer = Signer(key, secret)
    headers = signer.headers("GET", place, FUNCTIONS, more={"x-one": "a b"})
    equal(ask({**headers, "x-one": "  a   b "})[0], 200)
    equal(ask({name: value for name, value in headers.items() if name != "x-one"}),
          (403, "InvalidSignatureException"))


def payloads(url, key, secret):
    """Bodies in each form: hashed, unsigned, in chunks, with trailers; each altered by one byte."""
    place = urllib.parse.urlparse(url).netloc
    path = FUNCTIONS + "/keys-1/invocations"

    def ask(headers, body):
        status, name, data = send(url, Raw("POST", url + path, headers, body))
        return status, name or data

    event = b'{"text": "in pieces"}'
    signer = Signer(key, secret)
    equal(ask(signer.headers("POST", place, path, payload=event), event), (200, event))
    equal(ask(signer.headers("POST", place, path, payload=event), event + b" "), (403, "InvalidSignatureException"))
    digest = hashlib.sha256(event).hexdigest()
    equal(ask(signer.headers("POST", place, path, digest=digest), event), (200, event))
    equal(ask(signer.headers("POST", place, path, digest=digest), b"{}"), (403, "InvalidSignatureException"))
    equal(ask(signer.headers("POST", place, path, digest="UNSIGNED-PAYLOAD"), event), (200, event))
    equal(ask(signer.headers("POST", place, path, digest="NONSENSE"), event), (400, "InvalidParameterValueException"))
    pieces = [event[:8], event[8:]]
    headers = signer.headers("POST", place, path, digest="STREAMING-AWS4-HMAC-SHA256-PAYLOAD")
    body = signer.chunks(pieces)
    equal(ask(headers, body), (200, event))
    equal(ask(headers, body.replace(b"pieces", b"Pieces")), (403, "InvalidSignatureException"))
    equal(ask(headers, body[:40]), (400, "InvalidParameterValueException"))
    headers = signer.headers("POST", place, path, digest="STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER")
    body = signer.chunks(pieces, "x-amz-checksum-crc32:AAAAAA==")
    equal(ask(headers, body), (200, event))
    equal(ask(headers, body.replace(b"AAAAAA", b"BAAAAA")), (403, "InvalidSignatureException"))
    headers = signer.headers("POST", place, path, digest="STREAMING-UNSIGNED-PAYLOAD-TRAILER")
    equal(ask(headers, f"{len(event):x}\r\n".encode() + event + b"\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n"),
          (200, event))


def links(url, key, secret):
    """A signed URL."""
    request = botocore.awsrequest.AWSRequest("GET", url + FUNCTIONS + "?MaxItems=2")
    auth = botocore.auth.SigV4QueryAuth(botocore.credentials.Credentials(key, secret), "lambda", "us-east-1", 60)
    auth.add_auth(request)
    equal(send(url, Raw("GET", request.url, {}))[0], 200)
    equal(send(url, Raw("GET", request.url.replace("MaxItems=2", "MaxItems=3"), {}))[0], 403)


def projects(url, key, secret, other, other_secret):
    """Functions of one project are not there for another, by no door."""
    mine, theirs = client("lambda", url, key, secret), client("lambda", url, other, other_secret)
    arn = mine.get_function(FunctionName="keys-1")["Configuration"]["FunctionArn"]
    with refused("ResourceNotFoundException", 404):
        theirs.get_function(FunctionName="keys-1")
    with refused("AccessDeniedException", 403):
        theirs.invoke(FunctionName=arn)
    equal(theirs.list_functions()["Functions"], [])
    equal(json.loads(mine.invoke(FunctionName=arn, Payload=b"[1]")["Payload"].read()), [1])
    equal(send(url, Raw("POST", url + "/function/keys-1", {"content-length": "0"}))[0], 404)
    for wrong in ((key, other_secret), ("nobody", secret)):
        with refused("InvalidSignatureException" if wrong[0] == key else "UnrecognizedClientException", 403):
            client("lambda", url, *wrong).list_functions()


def run(url, key, secret, other, other_secret):
    lambdas = client("lambda", url, key, secret)
    lambdas.create_function(
        FunctionName="keys-1", Runtime="python3.11", Role=ROLE, Handler="main.handler",
        Code={"ZipFile": package("def handler(event, context):\n    return event\n")})
    refusals(url, key, secret)
    payloads(url, key, secret)
    links(url, key, secret)
    projects(url, key, secret, other, other_secret)
    lambdas.delete_function(FunctionName="keys-1")


main(run)
