"""Every operation of both services' models: those that this server does not have answer an error that boto3 makes a
ClientError of, in the shape of a status over 399, a code and a message; those that it has are called above."""

import botocore.exceptions
from client import client, expect, main

# Called with all their members by the other scripts.
HERE = {
    "lambda": """AddPermission CreateAlias CreateFunction CreateFunctionUrlConfig DeleteAlias DeleteFunction
        DeleteFunctionConcurrency DeleteFunctionEventInvokeConfig DeleteFunctionUrlConfig
        DeleteProvisionedConcurrencyConfig GetAccountSettings GetAlias GetFunction GetFunctionCodeSigningConfig
        GetFunctionConcurrency GetFunctionConfiguration GetFunctionEventInvokeConfig GetFunctionRecursionConfig
        GetFunctionUrlConfig GetPolicy GetProvisionedConcurrencyConfig GetRuntimeManagementConfig Invoke InvokeAsync
        InvokeWithResponseStream ListAliases ListCodeSigningConfigs ListEventSourceMappings
        ListFunctionEventInvokeConfigs ListFunctionUrlConfigs ListFunctions ListLayers
        ListProvisionedConcurrencyConfigs ListTags ListVersionsByFunction PublishVersion PutFunctionConcurrency
        PutFunctionEventInvokeConfig PutFunctionRecursionConfig PutProvisionedConcurrencyConfig
        PutRuntimeManagementConfig RemovePermission TagResource UntagResource UpdateAlias UpdateFunctionCode
        UpdateFunctionConfiguration UpdateFunctionEventInvokeConfig UpdateFunctionUrlConfig""".split(),
    "scheduler": """CreateSchedule CreateScheduleGroup DeleteSchedule DeleteScheduleGroup GetSchedule GetScheduleGroup
        ListScheduleGroups ListSchedules ListTagsForResource TagResource UntagResource UpdateSchedule""".split()}


def sample(shape, depth=0):
    """A value that the model allows, with its required members only."""
    kind = shape.type_name
    if kind == "structure":
        return {name: sample(shape.members[name], depth + 1) for name in shape.required_members}
    if kind == "list":
        return [sample(shape.member, depth + 1)] * max(1, shape.metadata.get("min", 1))
    if kind == "map":
        return {"key": sample(shape.value, depth + 1)}
    if kind == "string":
        if shape.enum:
            return shape.enum[0]
        return "a" * max(shape.metadata.get("min", 1), 1)
    if kind in ("integer", "long"):
        return max(1, shape.metadata.get("min", 1))
    return {"boolean": True, "blob": b"{}", "timestamp": 0, "float": 1.0, "double": 1.0}[kind]


def loop(service, url, key, secret):
    api = client(service, url, key, secret, parameter_validation=False)
    model = api.meta.service_model
    known = set(model.operation_names)
    expect(set(HERE[service]) <= known, set(HERE[service]) - known)
    names = {api.meta.method_to_api_mapping[name]: name for name in api.meta.method_to_api_mapping}
    missing = sorted(known - set(HERE[service]))
    for operation in missing:
        shape = model.operation_model(operation).input_shape
        try:
            answer = getattr(api, names[operation])(**(sample(shape) if shape else {}))
        except botocore.exceptions.ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            told = error.response["Error"]
            expect(400 <= status < 500, operation, status, told)
            expect(told["Code"] and not told["Code"].isdigit() and told["Message"], operation, told)
        else:
            raise AssertionError(f"{operation} answered {answer}")
    print(f"{service}: {len(HERE[service])} operations here, {len(missing)} refused")


def others(url, key, secret):
    for service, call, arguments in [
            ("s3", "list_buckets", {}), ("sqs", "list_queues", {}), ("dynamodb", "list_tables", {}),
            ("iam", "list_users", {}), ("logs", "describe_log_groups", {}), ("events", "list_rules", {}),
            ("sns", "list_topics", {}), ("apigateway", "get_rest_apis", {}), ("ec2", "describe_instances", {})]:
        api = client(service, url, key, secret)
        try:
            getattr(api, call)(**arguments)
        except botocore.exceptions.ClientError as error:
            told = error.response["Error"]
            expect(f"no service '{service}'" in told["Message"], service, told)
        else:
            raise AssertionError(service)
    expect(client("sts", url, key, secret).get_caller_identity()["Account"])


def run(url, key="test", secret="test-secret-test"):
    loop("lambda", url, key, secret)
    loop("scheduler", url, key, secret)
    others(url, key, secret)


main(run)
