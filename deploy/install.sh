#!/usr/bin/env bash
# Install what a node needs to build a corpus: `bash deploy/install.sh cpu|gpu`, in the project's
# root, in an image of Ray with sudo. Used by deploy/Dockerfile and deploy/aws/cluster.yaml.
set -euo pipefail

# Fonts that documents do not carry and synthetic text is set in; libgl and glib for OpenCV.
sudo apt-get update -q
sudo apt-get install -qy --no-install-recommends \
  fonts-dejavu-core fonts-liberation fonts-noto-cjk fonts-wqy-microhei libgl1 libglib2.0-0

# `web` is left out: web pages also need Chromium, office documents LibreOffice.
python -m pip install --quiet --constraint constraints.txt '.[ocr,render,documents,formats,s3]'
if [ "${1:-cpu}" = gpu ]; then
  # Both have the same module; what is installed last must be alone.
  python -m pip uninstall --quiet --yes onnxruntime
  python -m pip install --quiet 'onnxruntime-gpu[cuda,cudnn]>=1.18'
fi
