module "service" {
  source      = "../../../../modules/service"
  name        = "{{ .parts.name }}-{{ .parts.env }}"
  cost_center = {{ .metadata.cost_center | hcl }}
  channel     = "slack:{{ .metadata.slack_channel | hcl_text }}"
  regions     = {{ .inputs.regions | hcl }}
}
