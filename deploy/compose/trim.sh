#!/bin/sh
# Takes out of installed packages what no service uses, which is a third of the dashboard's image: trim.sh SITE_PACKAGES
set -eu

cd "$1"
# their own tests, and headers for compilers
find . -type d \( -name tests -o -name include \) -prune -exec rm -rf {} +
# country names in other languages; notebooks; plotly's own copy of its script (Streamlit brings one) and its example data
rm -rf pycountry/locales pydeck/nbextension plotly/labextension plotly/package_data/datasets plotly/package_data/plotly.min.js
# Arrow's network protocols, stores and file formats: Streamlit sends tables in Arrow's own
for part in flight substrait parquet dataset orc; do rm -rf pyarrow/*"$part"*; done
for store in s3 gcs azure hdfs; do rm -rf pyarrow/libarrow_"$store"* pyarrow/_"$store"*; done
