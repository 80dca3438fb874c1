#!/usr/bin/env bash
# Writes the rules in the shape that the Prometheus operator takes. A test holds the two files together.
set -euo pipefail
cd "$(dirname "$0")"
{
  echo '# Written by prometheusrule.sh from prometheus/fraudstream.rules.yml: change that file.'
  printf 'apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata:\n  name: fraudstream\nspec:\n'
  sed -n '/^groups:/,$p' ../prometheus/fraudstream.rules.yml | sed 's/^\(..*\)/  \1/'
} >overlays/prod/prometheusrule.yaml
