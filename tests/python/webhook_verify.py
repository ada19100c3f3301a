"""Verifies a message to a webhook with the library of Standard Webhooks, as a receiver does.

usage: webhook_verify.py FILE

FILE holds `{secret, headers, body}`. Prints the message's type; then nothing that was changed verifies.
"""

import json
import sys

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

with open(sys.argv[1]) as file:
    message = json.load(file)
receiver = Webhook(message["secret"])
print(receiver.verify(message["body"], message["headers"])["type"])
changed = [
    (message["body"].replace("file", "life"), message["headers"]),
    (message["body"], {**message["headers"], "webhook-id": "msg_other"}),
    (message["body"], {**message["headers"], "webhook-timestamp": str(int(message["headers"]["webhook-timestamp"]) + 1)}),
]
for body, headers in changed:
    try:
        receiver.verify(body, headers)
    except WebhookVerificationError:
        continue
    sys.exit(f"a changed message verifies: {headers}")
