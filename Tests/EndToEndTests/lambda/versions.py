"""Versions and aliases with shares; concurrency; asynchronous calls and who is told of them; tags, policies, the
account."""

import json
import threading
import time
import urllib.request

from client import ROLE, client, equal, expect, main, package, refused

SOURCE = '''
import os, time

def handler(event, context):
    if event.get("sleep"):
        time.sleep(event["sleep"])
    return os.environ["STEP"]
'''
ARN = "arn:aws:lambda:eu-west-1:000000000000:function:versioned"


def call(lambdas, name="versioned", event=None, **more):
    answer = lambdas.invoke(FunctionName=name, Payload=json.dumps(event or {}).encode(), **more)
    return answer["ExecutedVersion"], json.loads(answer["Payload"].read())


def step(lambdas, number):
    lambdas.update_function_configuration(FunctionName="versioned", Environment={"Variables": {"STEP": str(number)}})


def versions(lambdas):
    first = lambdas.publish_version(FunctionName="versioned", Description="the first")
    equal((first["Version"], first["Description"], first["FunctionArn"]), ("1", "the first", ARN + ":1"))
    equal(lambdas.publish_version(FunctionName="versioned")["Version"], "1")
    sum256 = first["CodeSha256"]
    step(lambdas, 2)
    with refused("InvalidParameterValueException", 400, "CodeSHA256"):
        lambdas.publish_version(FunctionName="versioned", CodeSha256="other")
    with refused("PreconditionFailedException", 412):
        lambdas.publish_version(FunctionName="versioned", RevisionId="other")
    equal(lambdas.publish_version(FunctionName="versioned", CodeSha256=sum256)["Version"], "2")
    step(lambdas, 3)
    equal(call(lambdas), ("$LATEST", "3"))
    equal(call(lambdas, Qualifier="1"), ("1", "1"))
    equal(call(lambdas, "versioned:2"), ("2", "2"))
    equal(call(lambdas, ARN + ":2"), ("2", "2"))
    pages = lambdas.get_paginator("list_versions_by_function").paginate(
        FunctionName="versioned", PaginationConfig={"PageSize": 1})
    equal([v["Version"] for page in pages for v in page["Versions"]], ["$LATEST", "1", "2"])


def aliases(lambdas):
    made = lambdas.create_alias(FunctionName="versioned", Name="Live_1", FunctionVersion="1", Description="d")
    equal((made["AliasArn"], made["FunctionVersion"], made["Description"]), (ARN + ":Live_1", "1", "d"))
    equal(call(lambdas, Qualifier="Live_1"), ("1", "1"))
    changed = lambdas.update_alias(FunctionName="versioned", Name="Live_1", FunctionVersion="2",
                                   RevisionId=made["RevisionId"])
    equal(call(lambdas, "versioned:Live_1"), ("2", "2"))
    equal(lambdas.get_function(FunctionName="versioned:Live_1")["Configuration"]["Version"], "2")
    with refused("PreconditionFailedException", 412):
        lambdas.update_alias(FunctionName="versioned", Name="Live_1", RevisionId=made["RevisionId"])
    routing = {"AdditionalVersionWeights": {"1": 0.3}}
    shared = lambdas.update_alias(FunctionName="versioned", Name="Live_1", RoutingConfig=routing)
    equal(shared["RoutingConfig"], routing)
    expect(shared["RevisionId"] != changed["RevisionId"])
    seen = [call(lambdas, Qualifier="Live_1") for _ in range(200)]
    ones = seen.count(("1", "1"))
    equal(ones + seen.count(("2", "2")), 200)
    expect(25 < ones < 100, ones)
    lambdas.update_alias(FunctionName="versioned", Name="Live_1", RoutingConfig={"AdditionalVersionWeights": {}})
    equal({call(lambdas, Qualifier="Live_1") for _ in range(30)}, {("2", "2")})
    lambdas.create_alias(FunctionName="versioned", Name="latest", FunctionVersion="$LATEST")
    equal(call(lambdas, Qualifier="latest"), ("$LATEST", "3"))
    pages = lambdas.get_paginator("list_aliases").paginate(
        FunctionName="versioned", PaginationConfig={"PageSize": 1})
    equal([a["Name"] for page in pages for a in page["Aliases"]], ["Live_1", "latest"])
    equal(len(lambdas.list_aliases(FunctionName="versioned", FunctionVersion="2")["Aliases"]), 1)
    equal(lambdas.get_alias(FunctionName="versioned", Name="latest")["FunctionVersion"], "$LATEST")
    with refused("ResourceConflictException", 409):
        lambdas.create_alias(FunctionName="versioned", Name="latest", FunctionVersion="1")
    with refused("ResourceNotFoundException", 404):
        lambdas.create_alias(FunctionName="versioned", Name="other", FunctionVersion="9")
    with refused("ValidationException", 400):
        lambdas.create_alias(FunctionName="versioned", Name="12", FunctionVersion="1")
    with refused("InvalidParameterValueException", 400):
        lambdas.create_alias(FunctionName="versioned", Name="other", FunctionVersion="$LATEST", RoutingConfig=routing)
    with refused("InvalidParameterValueException", 400):
        lambdas.create_alias(FunctionName="versioned", Name="other", FunctionVersion="1", RoutingConfig=routing)
    with refused("ResourceNotFoundException", 404, "Cannot find alias arn: " + ARN + ":other"):
        lambdas.get_alias(FunctionName="versioned", Name="other")
    with refused("ResourceConflictException", 409):
        lambdas.delete_function(FunctionName="versioned", Qualifier="2")
    lambdas.delete_function(FunctionName="versioned", Qualifier="1")
    with refused("ResourceNotFoundException", 404):
        lambdas.invoke(FunctionName="versioned", Qualifier="1")
    equal(lambdas.delete_alias(FunctionName="versioned", Name="latest")["ResponseMetadata"]["HTTPStatusCode"], 204)
    lambdas.delete_alias(FunctionName="versioned", Name="latest")


def concurrency(lambdas):
    equal(lambdas.put_function_concurrency(FunctionName="versioned", ReservedConcurrentExecutions=0)
          ["ReservedConcurrentExecutions"], 0)
    with refused("TooManyRequestsException", 429, "Rate Exceeded.") as refusal:
        call(lambdas)
    equal(refusal.error.response["Reason"], "ReservedFunctionConcurrentInvocationLimitExceeded")
    lambdas.put_function_concurrency(FunctionName="versioned", ReservedConcurrentExecutions=1)
    equal(lambdas.get_function(FunctionName="versioned")["Concurrency"], {"ReservedConcurrentExecutions": 1})
    equal(call(lambdas), ("$LATEST", "3"))
    slow = threading.Thread(target=call, args=(lambdas, "versioned", {"sleep": 1.0}))
    slow.start()
    time.sleep(0.4)
    with refused("TooManyRequestsException", 429):
        call(lambdas)
    slow.join()
    equal(call(lambdas), ("$LATEST", "3"))
    with refused("InvalidParameterValueException", 400):
        lambdas.put_function_concurrency(FunctionName="versioned", ReservedConcurrentExecutions=950)
    lambdas.delete_function_concurrency(FunctionName="versioned")
    expect("ReservedConcurrentExecutions" not in lambdas.get_function_concurrency(FunctionName="versioned"))
    with refused("ProvisionedConcurrencyConfigNotFoundException", 404):
        lambdas.get_provisioned_concurrency_config(FunctionName="versioned", Qualifier="2")
    put = lambdas.put_provisioned_concurrency_config(
        FunctionName="versioned", Qualifier="2", ProvisionedConcurrentExecutions=2)
    equal(put["Status"], "IN_PROGRESS")
    equal(lambdas.get_provisioned_concurrency_config(FunctionName="versioned", Qualifier="2")["Status"], "READY")
    configs = lambdas.list_provisioned_concurrency_configs(FunctionName="versioned")["ProvisionedConcurrencyConfigs"]
    equal(configs[0]["FunctionArn"], ARN + ":2")
    lambdas.delete_provisioned_concurrency_config(FunctionName="versioned", Qualifier="2")


def events(lambdas):
    with refused("ResourceNotFoundException", 404):
        lambdas.get_function_event_invoke_config(FunctionName="versioned")
    with refused("InvalidParameterValueException", 400):
        lambdas.put_function_event_invoke_config(FunctionName="versioned")
    with refused("InvalidParameterValueException", 400):
        lambdas.put_function_event_invoke_config(
            FunctionName="versioned", DestinationConfig={"OnFailure": {"Destination": "arn:aws:sqs:eu-west-1:1:q"}})
    put = lambdas.put_function_event_invoke_config(
        FunctionName="versioned", MaximumRetryAttempts=0, MaximumEventAgeInSeconds=60,
        DestinationConfig={"OnSuccess": {"Destination": ARN.replace("versioned", "told")},
                           "OnFailure": {"Destination": ARN.replace("versioned", "told")}})
    equal((put["MaximumRetryAttempts"], put["MaximumEventAgeInSeconds"]), (0, 60))
    equal(put["FunctionArn"], ARN + ":$LATEST")
    expect(time.time() - put["LastModified"].timestamp() < 60, put)
    updated = lambdas.update_function_event_invoke_config(FunctionName="versioned", MaximumRetryAttempts=1)
    equal((updated["MaximumRetryAttempts"], updated["MaximumEventAgeInSeconds"]), (1, 60))
    lambdas.put_function_event_invoke_config(FunctionName="versioned", Qualifier="2", MaximumRetryAttempts=2)
    pages = lambdas.get_paginator("list_function_event_invoke_configs").paginate(
        FunctionName="versioned", PaginationConfig={"PageSize": 1})
    equal([c["FunctionArn"] for page in pages for c in page["FunctionEventInvokeConfigs"]],
          [ARN + ":$LATEST", ARN + ":2"])
    lambdas.put_function_event_invoke_config(
        FunctionName="versioned", MaximumRetryAttempts=0,
        DestinationConfig={"OnSuccess": {"Destination": ARN.replace("versioned", "told")},
                           "OnFailure": {"Destination": ARN.replace("versioned", "told")}})
    equal(lambdas.invoke(FunctionName="versioned", InvocationType="Event", Payload=b'{"n": 1}')["StatusCode"], 202)
    record = told(lambdas, 1)
    equal(record["version"], "1.0")
    equal(record["requestContext"]["condition"], "Success")
    equal(record["requestContext"]["functionArn"], ARN + ":$LATEST")
    equal(record["requestContext"]["approximateInvokeCount"], 1)
    equal(record["requestPayload"], {"n": 1})
    equal(record["responseContext"]["statusCode"], 200)
    equal(record["responseContext"]["executedVersion"], "$LATEST")
    equal(record["responsePayload"], "3")
    lambdas.invoke(FunctionName="versioned", InvocationType="Event", Payload=b'{"sleep": "no number"}')
    record = told(lambdas, 2)
    equal(record["responseContext"]["functionError"], "Unhandled")
    equal(record["responsePayload"]["errorType"], "TypeError")
    lambdas.put_function_concurrency(FunctionName="versioned", ReservedConcurrentExecutions=0)
    equal(lambdas.invoke(FunctionName="versioned", InvocationType="Event", Payload=b'{"n": 3}')["StatusCode"], 202)
    record = told(lambdas, 3)
    equal((record["requestPayload"], record["requestContext"]["approximateInvokeCount"]), ({"n": 3}, 0))
    lambdas.delete_function_concurrency(FunctionName="versioned")
    lambdas.delete_function_event_invoke_config(FunctionName="versioned")


def told(lambdas, count):
    """The last of `count` records that the function `told` has been given, from its log."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        with urllib.request.urlopen(lambdas.meta.endpoint_url + "/v1/functions/told/logs") as answer:
            lines = [line["text"] for line in json.load(answer)["lines"]]
        found = [json.loads(line[5:]) for line in lines if line.startswith("told ")]
        if len(found) >= count:
            return found[-1]
        time.sleep(0.05)
    raise AssertionError(f"{count} records did not come")


def labels(lambdas):
    lambdas.tag_resource(Resource=ARN, Tags={"a": "1", "b": "ü"})
    equal(lambdas.list_tags(Resource=ARN)["Tags"], {"a": "1", "b": "ü"})
    lambdas.untag_resource(Resource=ARN, TagKeys=["a", "nothing"])
    equal(lambdas.list_tags(Resource=ARN)["Tags"], {"b": "ü"})
    with refused("ResourceNotFoundException", 404):
        lambdas.list_tags(Resource=ARN + "-other")
    with refused("ResourceNotFoundException", 404):
        lambdas.get_policy(FunctionName="versioned")
    statement = lambdas.add_permission(
        FunctionName="versioned", StatementId="s3", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com",
        SourceArn="arn:aws:s3:::bucket", SourceAccount="123456789012")
    equal(json.loads(statement["Statement"])["Principal"], {"Service": "s3.amazonaws.com"})
    policy = json.loads(lambdas.get_policy(FunctionName="versioned")["Policy"])
    equal(policy["Statement"][0]["Sid"], "s3")
    equal(policy["Statement"][0]["Resource"], ARN)
    with refused("ResourceConflictException", 409):
        lambdas.add_permission(FunctionName="versioned", StatementId="s3", Action="lambda:*", Principal="*")
    lambdas.remove_permission(FunctionName="versioned", StatementId="s3")
    with refused("ResourceNotFoundException", 404):
        lambdas.remove_permission(FunctionName="versioned", StatementId="s3")


def account(lambdas):
    settings = lambdas.get_account_settings()
    equal(settings["AccountLimit"]["ConcurrentExecutions"], 1000)
    expect(settings["AccountUsage"]["FunctionCount"] >= 1)
    equal(lambdas.get_function_code_signing_config(FunctionName="versioned")["FunctionName"], "versioned")
    equal(lambdas.get_runtime_management_config(FunctionName="versioned")["UpdateRuntimeOn"], "Auto")
    equal(lambdas.put_runtime_management_config(FunctionName="versioned", UpdateRuntimeOn="FunctionUpdate")
          ["UpdateRuntimeOn"], "FunctionUpdate")
    equal(lambdas.get_function_recursion_config(FunctionName="versioned")["RecursiveLoop"], "Terminate")
    equal(lambdas.list_layers()["Layers"], [])
    equal(lambdas.list_event_source_mappings()["EventSourceMappings"], [])


TOLD = '''
import json

def handler(event, context):
    print("told", json.dumps(event))
'''


def run(url, key="test", secret="test-secret-test"):
    lambdas = client("lambda", url, key, secret)
    for name, source in (("versioned", SOURCE), ("told", TOLD)):
        lambdas.create_function(
            FunctionName=name, Runtime="python3.11", Role=ROLE, Handler="main.handler",
            Code={"ZipFile": package(source)}, Environment={"Variables": {"STEP": "1"}})
    versions(lambdas)
    aliases(lambdas)
    concurrency(lambdas)
    events(lambdas)
    labels(lambdas)
    account(lambdas)
    for name in ("versioned", "told"):
        lambdas.delete_function(FunctionName=name)


main(run)
