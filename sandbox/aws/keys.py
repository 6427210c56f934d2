"""Record which KMS key a call of another service used.

On AWS the caller also needs a permission on that key.

LocalStack encrypts nothing on a caller's behalf and so makes no call of KMS. Keys that AWS manages
are left out: their own policies let in everyone who comes through their service.
"""

from collections.abc import Mapping
from typing import Any

from localstack.aws.api import RequestContext
from localstack.services.kms.models import kms_stores
from localstack.services.sns.models import sns_stores
from moto.secretsmanager.models import secretsmanager_backends


def customer_key(context: RequestContext, answer: Mapping[str, Any]) -> str | None:
    """Return the ARN of the customer's key that a call went through, or None.

    Args:
        context: The call, which succeeded.
        answer: What it was answered.
    """
    key = None
    if context.service.service_name == "s3":
        key = answer.get("SSEKMSKeyId")
    elif context.service.service_name == "secretsmanager" and answer.get("ARN"):
        secrets = secretsmanager_backends[context.account_id][context.region].secrets
        # A deleted secret is answered for, but no longer there.
        secret = secrets.get(answer["ARN"])
        key = secret.kms_key_id if secret else None
    elif context.service.service_name == "sns":
        topics = sns_stores[context.account_id][context.region].topics
        topic = topics.get((context.service_request or {}).get("TopicArn", ""))
        key = topic["attributes"].get("KmsMasterKeyId") if topic else None
    if not key or "alias/" in key:
        return None
    store = kms_stores[context.account_id][context.region]
    found = store.keys.get(key.rsplit("/", 1)[-1])
    if found is None or found.metadata["KeyManager"] != "CUSTOMER":
        return None
    return str(found.metadata["Arn"])
