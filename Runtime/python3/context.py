"""The second argument of a handler, with the fields and the words of AWS Lambda's own runtime."""

import json
import sys
import time

W3C_FIELDS = ("traceparent", "tracestate", "baggage")


class Fields:
    """An object whose fields are None unless they are given; its class names them."""

    __slots__ = ()

    def __init__(self, given=None):
        for name in self.__slots__:
            setattr(self, name, given.get(name) if given else None)

    def __repr__(self):
        return f"{type(self).__name__}([{','.join(f'{name}={getattr(self, name)}' for name in self.__slots__)}])"


class CognitoIdentity(Fields):
    __slots__ = ("cognito_identity_id", "cognito_identity_pool_id")


class Client(Fields):
    __slots__ = ("installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name")


class ClientContext(Fields):
    __slots__ = ("custom", "env", "client")


class Context:
    """What is the same for all requests is set on the class; what few callers send is read when it is asked for."""

    body = None
    tenant_id = None
    special = {}

    def __init__(self, request):
        self.aws_request_id = request.id
        self.deadline = request.deadline
        if request.special:
            self.special = request.special

    def get_remaining_time_in_millis(self):
        return max(0, self.deadline - time.time_ns() // 1_000_000)

    def given(self, field):
        """An object that the caller sent as JSON; None: there is none."""
        try:
            value = json.loads(self.special.get(field, "null"))
        except ValueError:
            return None
        return value if isinstance(value, dict) else None

    @property
    def client_context(self):
        given = self.given(":client-context")
        if given is None:
            return None
        context = ClientContext(given)
        if isinstance(context.client, dict):
            context.client = Client(context.client)
        return context

    @property
    def identity(self):
        given = self.given(":cognito-identity") or {}
        identity = CognitoIdentity()
        identity.cognito_identity_id = given.get("cognitoIdentityId")
        identity.cognito_identity_pool_id = given.get("cognitoIdentityPoolId")
        return identity

    @property
    def invoked_function_arn(self):
        return self.special.get(":function-arn") or self.function_arn

    def w3c(self):
        """The trace that a caller has sent in its client context."""
        fields = (self.given(":client-context") or {}).get("w3c")
        return {name: fields[name] for name in W3C_FIELDS if isinstance(fields.get(name), str)} if fields else {}

    def log(self, message):
        """Writes to the function's log."""
        sys.stdout.write(str(message))

    def __repr__(self):
        names = ("aws_request_id", "log_group_name", "log_stream_name", "function_name", "memory_limit_in_mb",
                 "function_version", "invoked_function_arn", "client_context", "identity", "tenant_id")
        return f"LambdaContext([{','.join(f'{name}={getattr(self, name)}' for name in names)}])"
