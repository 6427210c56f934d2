"""The services of the page tests and of the pictures."""

from typing import Any


def service(
    name: str, owner: str, team: str, environment: str, **properties: Any
) -> dict[str, Any]:
    return {
        "identifier": name,
        "title": name.replace("-", " ").capitalize(),
        "properties": {
            "owner": f"{owner}@acme.example",
            "responsible_team": team,
            "environment": environment,
            "health_status": "Healthy",
            "sync_status": "Synced",
            "service_type": "backend",
            "project": "shop",
            "replicas": 2,
            "image_tag": "1.4.0",
            "pr_url": f"https://github.example/acme/services/pull/{len(name) * 7}",
            "argocd_app_url": f"https://argocd.example/applications/{name}",
            "grafana_url": f"https://grafana.example/d/{name}",
            "health_url": f"https://{name}.acme.example/health",
            **properties,
        },
    }


SERVICES = [
    service("checkout", "developer", "payments", "Production", replicas=6, ttl=365),
    service("checkout-preview", "developer", "payments", "Test", ttl=7),
    service("invoices", "developer", "payments", "Production", service_type="worker"),
    service(
        "payment-gateway", "developer", "payments", "Production", health_status="Degraded",
        health_detail="GET /health: 503, expected 2xx, 3 of 3 probes",
    ),
    service("refunds", "developer", "payments", "Staging", sync_status="OutOfSync"),
    service("fraud-check", "developer", "platform", "Staging", project="risk", service_type="job"),
    service("log-shipper", "devops", "devops", "Production", project="insight", replicas=3),
    service("metrics", "devops", "devops", "Production", project="insight"),
    service("backup", "devops", "platform", "Production", project="core", service_type="job"),
    service("login", "admin", "platform", "Production", project="core", replicas=4),
    service(
        "portal", "admin", "platform", "Test", project="core", service_type="frontend", ttl=14,
        health_status="Progressing",
    ),
    service(
        "search", "admin", "platform", "Staging", health_status="Pending", project="shop",
        sync_status="Unknown",
    ),
]  # fmt: skip
