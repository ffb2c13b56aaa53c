"""Function URLs: how they are configured, by host and by path, payload 2.0, answers, CORS, both modes, signatures."""

import http.client
import json
import urllib.parse

import botocore.auth
import botocore.awsrequest
import botocore.credentials
from client import ROLE, client, equal, expect, main, package, refused

SOURCE = '''
import base64

def handler(event, context):
    path = event["rawPath"]
    if path == "/event":
        return event
    if path == "/status":
        return {"statusCode": 201, "headers": {"X-One": "1", "Content-Type": "text/plain"}, "cookies": ["a=1", "b=2"],
                "body": base64.b64encode(b"\\x00\\xff").decode(), "isBase64Encoded": True}
    if path == "/text":
        return "hello"
    if path == "/number":
        return 3
    if path == "/raise":
        raise ValueError("secret")
    if path == "/malformed":
        return {"statusCode": "x"}
    if path == "/stream":
        return {"statusCode": 202, "headers": {"content-type": "text/plain"}, "body": iter(["a", "b", "c"])}
    if path == "/echo":
        return {"statusCode": 200, "body": event.get("body"), "isBase64Encoded": event["isBase64Encoded"]}
    if path == "/large":
        return "x" * 6291557
    return {"statusCode": 404, "body": "no"}
'''


def ask(url, host, method, target, body=None, headers=None):
    place = urllib.parse.urlparse(url)
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=20)
    connection.request(method, target, body, {"Host": host, **(headers or {})})
    answer = connection.getresponse()
    data = answer.read()
    connection.close()
    return answer, data


def configuration(lambdas):
    with refused("ResourceNotFoundException", 404):
        lambdas.get_function_url_config(FunctionName="site")
    made = lambdas.create_function_url_config(FunctionName="site", AuthType="NONE")
    equal((made["AuthType"], made["InvokeMode"]), ("NONE", "BUFFERED"))
    equal(made["FunctionArn"], "arn:aws:lambda:eu-west-1:000000000000:function:site")
    with refused("ResourceConflictException", 409):
        lambdas.create_function_url_config(FunctionName="site", AuthType="NONE")
    with refused("ValidationException", 400):
        lambdas.update_function_url_config(FunctionName="site", AuthType="MAYBE")
    with refused("ValidationException", 400):
        lambdas.create_function_url_config(FunctionName="site", AuthType="NONE", Qualifier="1")
    lambdas.publish_version(FunctionName="site")
    lambdas.create_alias(FunctionName="site", Name="live", FunctionVersion="1")
    lambdas.create_function_url_config(FunctionName="site", AuthType="AWS_IAM", Qualifier="live")
    pages = lambdas.get_paginator("list_function_url_configs").paginate(
        FunctionName="site", PaginationConfig={"PageSize": 1})
    equal(sorted(c["AuthType"] for page in pages for c in page["FunctionUrlConfigs"]), ["AWS_IAM", "NONE"])
    return made["FunctionUrl"]


def requests(url, host):
    answer, data = ask(
        url, host, "POST", "/event?a=1&a=2&b=x%20y", b"text",
        {"Content-Type": "text/plain", "Cookie": "c=1; d=2", "X-Two": "2"})
    event = json.loads(data)
    equal(answer.status, 200)
    equal((event["version"], event["routeKey"], event["rawPath"], event["body"]), ("2.0", "$default", "/event", "text"))
    equal(event["rawQueryString"], "a=1&a=2&b=x%20y")
    equal(event["queryStringParameters"], {"a": "1,2", "b": "x y"})
    equal(event["cookies"], ["c=1", "d=2"])
    equal(event["headers"]["x-two"], "2")
    equal(event["headers"]["x-forwarded-proto"], "http")
    equal(event["headers"]["x-forwarded-for"], "127.0.0.1")
    equal(event["requestContext"]["http"]["method"], "POST")
    equal(event["requestContext"]["accountId"], "anonymous")
    equal(event["requestContext"]["stage"], "$default")
    answer, data = ask(url, host, "GET", "/status")
    equal((answer.status, data, answer.getheader("x-one")), (201, b"\x00\xff", "1"))
    equal(answer.headers.get_all("set-cookie"), ["a=1", "b=2"])
    for path, body in (("/text", b"hello"), ("/number", b"3")):
        answer, data = ask(url, host, "GET", path)
        equal((answer.status, data, answer.getheader("content-type")), (200, body, "application/json"))
    for path in ("/raise", "/malformed", "/large"):
        answer, data = ask(url, host, "GET", path)
        equal((answer.status, data), (502, b"Internal Server Error"))
    answer, data = ask(url, host, "GET", "/stream")
    equal((answer.status, data, answer.getheader("content-length")), (202, b"abc", "3"))
    answer, data = ask(url, host, "PUT", "/echo", bytes(range(256)), {"Content-Type": "application/octet-stream"})
    equal((answer.status, data), (200, bytes(range(256))))
    equal(ask(url, host, "GET", "/function/site")[0].status, 404)
    answer, data = ask(url, host, "POST", "/echo", b"x" * 6291557)
    equal(answer.status, 413)
    equal(ask(url, "x" * 32 + ".lambda-url.localhost", "GET", "/")[0].status, 403)


def paths(url, host):
    own = urllib.parse.urlparse(url).netloc
    for place in ("/_url/site", "/_url/" + host.partition(".")[0]):
        equal(ask(url, own, "GET", place + "/text")[1], b"hello")
        equal(json.loads(ask(url, own, "GET", place + "/event")[1])["rawPath"], "/event")
    equal(ask(url, own, "GET", "/_url/site")[0].status, 404)
    equal(ask(url, own, "GET", "/_url/nobody/")[0].status, 403)


def cors(lambdas, url, host):
    lambdas.update_function_url_config(FunctionName="site", Cors={
        "AllowOrigins": ["https://a.example"], "AllowMethods": ["GET"], "AllowHeaders": ["x-one"],
        "ExposeHeaders": ["x-two"], "MaxAge": 60, "AllowCredentials": True})
    ask_for = {"Origin": "https://a.example", "Access-Control-Request-Method": "GET"}
    answer, data = ask(url, host, "OPTIONS", "/text", headers=ask_for)
    equal((answer.status, data), (200, b""))
    equal(answer.getheader("access-control-allow-origin"), "https://a.example")
    equal(answer.getheader("access-control-allow-methods"), "GET")
    equal(answer.getheader("access-control-allow-headers"), "x-one")
    equal(answer.getheader("access-control-max-age"), "60")
    equal(answer.getheader("access-control-allow-credentials"), "true")
    answer, data = ask(url, host, "GET", "/text", headers={"Origin": "https://a.example"})
    equal((data, answer.getheader("access-control-allow-origin")), (b"hello", "https://a.example"))
    equal(answer.getheader("access-control-expose-headers"), "x-two")
    answer, data = ask(url, host, "GET", "/text", headers={"Origin": "https://b.example"})
    equal((data, answer.getheader("access-control-allow-origin")), (b"hello", None))
    equal(lambdas.get_function_url_config(FunctionName="site")["Cors"]["MaxAge"], 60)
    lambdas.update_function_url_config(FunctionName="site", Cors={})
    expect("Cors" not in lambdas.get_function_url_config(FunctionName="site"))


def streaming(lambdas, url, host):
    lambdas.update_function_url_config(FunctionName="site", InvokeMode="RESPONSE_STREAM")
    answer, data = ask(url, host, "GET", "/stream")
    equal((answer.status, data, answer.getheader("transfer-encoding")), (202, b"abc", "chunked"))
    lambdas.update_function_url_config(FunctionName="site", InvokeMode="BUFFERED")


def signed(lambdas, url, key, secret):
    live = lambdas.get_function_url_config(FunctionName="site", Qualifier="live")["FunctionUrl"]
    host = urllib.parse.urlparse(live).netloc
    answer, data = ask(url, host, "GET", "/text")
    equal(answer.status, 403)
    expect("Message" in json.loads(data), data)
    request = botocore.awsrequest.AWSRequest("POST", live + "text?q=a%20b", data=b"body", headers={"Host": host})
    credentials = botocore.credentials.Credentials(key, secret)
    botocore.auth.SigV4Auth(credentials, "lambda", "eu-west-1").add_auth(request)
    answer, data = ask(url, host, "POST", "/text?q=a%20b", b"body", dict(request.headers))
    equal((answer.status, data), (200, b"hello"))


def throttled(lambdas, url, host):
    lambdas.put_function_concurrency(FunctionName="site", ReservedConcurrentExecutions=0)
    equal(ask(url, host, "GET", "/text")[0].status, 429)
    lambdas.delete_function_concurrency(FunctionName="site")
    equal(ask(url, host, "GET", "/text")[0].status, 200)


def run(url, key="test", secret="test-secret-test"):
    lambdas = client("lambda", url, key, secret)
    lambdas.create_function(
        FunctionName="site", Runtime="python3.11", Role=ROLE, Handler="main.handler",
        Code={"ZipFile": package(SOURCE)})
    host = urllib.parse.urlparse(configuration(lambdas)).netloc
    expect(".lambda-url.localhost:" in host, host)
    requests(url, host)
    paths(url, host)
    cors(lambdas, url, host)
    streaming(lambdas, url, host)
    signed(lambdas, url, key, secret)
    throttled(lambdas, url, host)
    lambdas.delete_function_url_config(FunctionName="site")
    equal(ask(url, host, "GET", "/text")[0].status, 403)
    lambdas.delete_function(FunctionName="site")


main(run)
