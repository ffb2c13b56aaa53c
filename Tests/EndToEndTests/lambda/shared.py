"""One set of functions: `taibai deploy` has made `hello`; what is made here is called by the plain gateway too."""

import json
import urllib.request

from client import ROLE, client, equal, expect, main, package, refused


def run(url):
    lambdas = client("lambda", url)
    expect("hello" in [f["FunctionName"] for f in lambdas.list_functions()["Functions"]])
    listed = lambdas.list_functions(FunctionVersion="ALL")["Functions"]
    equal([f["Version"] for f in listed if f["FunctionName"] == "hello"], ["$LATEST", "1"])
    equal(json.loads(lambdas.invoke(FunctionName="hello", Payload=b"[1]")["Payload"].read()), [1])
    equal(lambdas.get_function(FunctionName="hello", Qualifier="1")["Configuration"]["Version"], "1")
    with refused("ResourceConflictException", 409):
        lambdas.create_function(
            FunctionName="hello", Runtime="python3.11", Role=ROLE, Handler="main.handler",
            Code={"ZipFile": package("")})
    lambdas.tag_resource(Resource="arn:aws:lambda:eu-west-1:000000000000:function:hello", Tags={"a": "1"})
    equal(lambdas.get_function(FunctionName="hello")["Tags"], {"a": "1"})
    changed = package("def handler(event, context):\n    return 'changed'\n")
    lambdas.update_function_code(FunctionName="hello", ZipFile=changed)
    equal(json.loads(lambdas.invoke(FunctionName="hello")["Payload"].read()), "changed")
    with urllib.request.urlopen(url + "/function/hello") as answer:
        equal(answer.read(), b"changed")
    lambdas.create_function(
        FunctionName="made", Runtime="python3.11", Role=ROLE, Handler="main.handler",
        Code={"ZipFile": package("def handler(event, context):\n    return event['rawPath']\n")})
    with urllib.request.urlopen(url + "/function/made/path") as answer:
        equal(answer.read(), b"/path")
    lambdas.publish_version(FunctionName="made")
    lambdas.update_function_code(FunctionName="made", ZipFile=changed)
    lambdas.publish_version(FunctionName="made")
    lambdas.create_alias(FunctionName="made", Name="live", FunctionVersion="1",
                         RoutingConfig={"AdditionalVersionWeights": {"2": 0.5}})
    seen = set()
    for _ in range(60):
        with urllib.request.urlopen(url + "/function/made@live/path") as answer:
            seen.add(answer.read())
    equal(seen, {b"/path", b"changed"})
    with urllib.request.urlopen(urllib.request.Request(url + "/v1/functions/made", method="DELETE")) as answer:
        equal(answer.status, 204)
    for call in (lambdas.get_function, lambdas.invoke, lambdas.delete_function):
        with refused("ResourceNotFoundException", 404):
            call(FunctionName="made")
    made = lambdas.create_function(
        FunctionName="made", Runtime="python3.11", Role=ROLE, Handler="main.handler", Publish=True,
        Code={"ZipFile": changed})
    equal(made["Version"], "1")
    lambdas.delete_function(FunctionName="made")
    lambdas.delete_function(FunctionName="hello")


main(run)
