"""Functions through their whole life: made, shown, listed, changed, published, deleted; and each refusal on the way."""

import base64
import hashlib
import urllib.request

from client import ROLE, client, equal, expect, main, package, refused

ECHO = "def handler(event, context):\n    return event\n"


def create(lambdas, name, **more):
    arguments = {
        "FunctionName": name, "Runtime": "python3.12", "Role": ROLE, "Handler": "main.handler",
        "Code": {"ZipFile": package(ECHO)}, **more}
    return lambdas.create_function(**arguments)


def life(lambdas):
    code = package(ECHO)
    sum256 = base64.b64encode(hashlib.sha256(code).digest()).decode()
    made = create(
        lambdas, "life", Code={"ZipFile": code}, Description="d", Timeout=5, MemorySize=256, Publish=False,
        Environment={"Variables": {"COLOR": "blue"}}, Tags={"team": "a"}, EphemeralStorage={"Size": 1024},
        TracingConfig={"Mode": "Active"}, Architectures=["x86_64"], PackageType="Zip",
        DeadLetterConfig={}, LoggingConfig={"LogFormat": "JSON"}, SnapStart={"ApplyOn": "None"})
    equal(made["ResponseMetadata"]["HTTPStatusCode"], 201)
    equal(made["FunctionArn"], "arn:aws:lambda:eu-west-1:000000000000:function:life")
    equal(made["State"], "Pending")
    equal(made["CodeSha256"], sum256)
    equal(made["CodeSize"], len(code))
    equal(made["Version"], "$LATEST")
    for waiter in ("function_exists", "function_active_v2", "function_active", "function_updated_v2",
                   "function_updated"):
        lambdas.get_waiter(waiter).wait(FunctionName="life", WaiterConfig={"Delay": 0, "MaxAttempts": 3})
    found = lambdas.get_function(FunctionName="life")
    shown = found["Configuration"]
    for name, wanted in {
            "FunctionName": "life", "Runtime": "python3.12", "Role": ROLE, "Handler": "main.handler", "Timeout": 5,
            "MemorySize": 256, "Description": "d", "State": "Active", "LastUpdateStatus": "Successful",
            "PackageType": "Zip", "EphemeralStorage": {"Size": 1024}, "Environment": {"Variables": {"COLOR": "blue"}},
            "TracingConfig": {"Mode": "Active"}, "Architectures": ["x86_64"]}.items():
        equal(shown[name], wanted)
    equal(shown["LoggingConfig"]["LogFormat"], "JSON")
    equal(found["Tags"], {"team": "a"})
    with urllib.request.urlopen(found["Code"]["Location"]) as answer:
        equal(answer.read(), code)
    for name in ("life:$LATEST", "function:life", "000000000000:function:life", made["FunctionArn"],
                 made["FunctionArn"] + ":$LATEST"):
        equal(lambdas.get_function_configuration(FunctionName=name)["FunctionName"], "life")
    equal(lambdas.get_function_configuration(FunctionName="life", Qualifier="$LATEST")["Version"], "$LATEST")


def changes(lambdas):
    before = lambdas.get_function_configuration(FunctionName="life")
    changed = lambdas.update_function_configuration(
        FunctionName="life", Timeout=7, MemorySize=300, RevisionId=before["RevisionId"],
        Environment={"Variables": {"COLOR": "red"}}, Description="")
    equal(changed["LastUpdateStatus"], "InProgress")
    expect(changed["RevisionId"] != before["RevisionId"])
    lambdas.get_waiter("function_updated_v2").wait(FunctionName="life", WaiterConfig={"Delay": 0, "MaxAttempts": 3})
    equal(lambdas.get_function_configuration(FunctionName="life")["MemorySize"], 300)
    with refused("PreconditionFailedException", 412):
        lambdas.update_function_configuration(FunctionName="life", Timeout=8, RevisionId=before["RevisionId"])
    code = package("def handler(event, context):\n    return 2\n")
    tried = lambdas.update_function_code(FunctionName="life", ZipFile=code, DryRun=True)
    expect(tried["CodeSha256"] != changed["CodeSha256"])
    equal(lambdas.get_function_configuration(FunctionName="life")["CodeSha256"], changed["CodeSha256"])
    with refused("PreconditionFailedException", 412):
        lambdas.update_function_code(FunctionName="life", ZipFile=code, RevisionId="nonsense")
    updated = lambdas.update_function_code(FunctionName="life", ZipFile=code, Publish=True)
    equal(updated["Version"], "1")
    equal(updated["CodeSha256"], tried["CodeSha256"])
    equal(lambdas.invoke(FunctionName="life")["Payload"].read(), b"2")
    equal(lambdas.get_waiter("published_version_active").wait(
        FunctionName="life", Qualifier="1", WaiterConfig={"Delay": 0, "MaxAttempts": 3}), None)


def lists(lambdas):
    names = [f"list-{index}" for index in range(5)]
    for name in names:
        create(lambdas, name, Publish=True)
    pages = list(lambdas.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 2}))
    found = [function["FunctionName"] for page in pages for function in page["Functions"]]
    expect(len(pages) >= 3, pages)
    equal([name for name in found if name.startswith("list-")], names)
    equal(len(found), len(set(found)))
    everything = lambdas.get_paginator("list_functions").paginate(
        FunctionVersion="ALL", PaginationConfig={"PageSize": 3})
    versions = [f["Version"] for page in everything for f in page["Functions"] if f["FunctionName"] == "list-0"]
    equal(versions, ["$LATEST", "1"])
    for name in ("list", "list-0-a"):
        create(lambdas, name, Publish=True)
    names += ["list", "list-0-a"]
    for size in (1, 2, 5):
        everything = lambdas.get_paginator("list_functions").paginate(
            FunctionVersion="ALL", PaginationConfig={"PageSize": size})
        found = [f["FunctionArn"] for page in everything for f in page["Functions"] if "list" in f["FunctionName"]]
        equal(len(found), 14)
        equal(len(set(found)), 14)
    with refused("InvalidParameterValueException", 400):
        lambdas.list_functions(Marker="no marker!")
    for name in names:
        lambdas.delete_function(FunctionName=name)


def refusals(lambdas):
    with refused("ResourceConflictException", 409, "Function already exist: life"):
        create(lambdas, "life")
    for wrong, name in [
            ({"Runtime": "cobol1"}, "InvalidParameterValueException"),
            ({"Runtime": "java21"}, "InvalidParameterValueException"),
            ({"Code": {"ZipFile": b"no zip"}}, "InvalidParameterValueException"),
            ({"Code": {"ZipFile": b""}}, "InvalidParameterValueException"),
            ({"Code": {"S3Bucket": "bucket", "S3Key": "key"}}, "InvalidParameterValueException"),
            ({"Code": {"ImageUri": "image"}, "PackageType": "Image"}, "InvalidParameterValueException"),
            ({"Code": {"ZipFile": package(ECHO)[:60]}}, "InvalidParameterValueException"),
            ({"MemorySize": 20000}, "ValidationException"), ({"Timeout": 901}, "ValidationException"),
            ({"EphemeralStorage": {"Size": 20000}}, "ValidationException"),
            ({"Handler": "a b"}, "ValidationException"), ({"Description": "d" * 257}, "ValidationException"),
            ({"Environment": {"Variables": {"A": "x" * 4097}}}, "ValidationException"),
            ({"Environment": {"Variables": {"AB": "x" * 4097}}}, "InvalidParameterValueException"),
            ({"Environment": {"Variables": {"AWS_REGION": "x"}}}, "InvalidParameterValueException"),
            ({"DeadLetterConfig": {"TargetArn": "arn:aws:sqs:eu-west-1:000000000000:q"}},
             "InvalidParameterValueException"),
            ({"VpcConfig": {"SubnetIds": ["subnet-1"]}}, "InvalidParameterValueException"),
            ({"Layers": ["arn:aws:lambda:eu-west-1:000000000000:layer:l:1"]}, "InvalidParameterValueException")]:
        with refused(name, 400):
            create(lambdas, "wrong", **wrong)
    for bad in ("with space", "a/b", "a" * 65, "arn:aws:lambda:eu-west-1:000000000000:function:", "x:y:z:w"):
        with refused("ValidationException", 400):
            lambdas.get_function(FunctionName=bad)
    arn = "arn:aws:lambda:eu-west-1:000000000000:function:"
    for call in (lambdas.get_function, lambdas.get_function_configuration, lambdas.delete_function,
                 lambdas.invoke, lambdas.publish_version, lambdas.list_versions_by_function, lambdas.list_aliases,
                 lambdas.get_policy, lambdas.get_function_concurrency, lambdas.list_function_url_configs,
                 lambdas.get_function_url_config, lambdas.get_function_event_invoke_config,
                 lambdas.update_function_configuration, lambdas.get_function_code_signing_config):
        with refused("ResourceNotFoundException", 404, "Function not found: " + arn + "nobody"):
            call(FunctionName="nobody")
    with refused("ResourceNotFoundException", 404, arn + "life:9"):
        lambdas.get_function(FunctionName="life", Qualifier="9")
    with refused("InvalidParameterValueException", 400, "derived qualifier"):
        lambdas.get_function(FunctionName="life:1", Qualifier="2")


def names(lambdas):
    """Names that the server's own may not have."""
    for name in ("Upper_Case", "x" * 64, "under_score", "-dash-", "12345678-1234-1234-1234-123456789012"):
        create(lambdas, name)
        equal(lambdas.invoke(FunctionName=name, Payload=b"[1]")["Payload"].read(), b"[1]")
        equal(lambdas.get_function(FunctionName=name)["Configuration"]["FunctionName"], name)
        lambdas.delete_function(FunctionName=name)
        with refused("ResourceNotFoundException", 404):
            lambdas.invoke(FunctionName=name)


def run(url, key="test", secret="test-secret-test"):
    lambdas = client("lambda", url, key, secret)
    life(lambdas)
    changes(lambdas)
    lists(lambdas)
    refusals(lambdas)
    names(lambdas)
    equal(lambdas.delete_function(FunctionName="life")["ResponseMetadata"]["HTTPStatusCode"], 204)
    with refused("ResourceNotFoundException", 404):
        lambdas.delete_function(FunctionName="life")


main(run)
