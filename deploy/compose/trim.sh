#!/bin/sh
# Takes out of installed packages what no service uses, which is a third of the dashboard's image: trim.sh SITE_PACKAGES
set -eu

cd "$1"
# their own tests, and what only compilers and type checkers read
find . -type d \( -name tests -o -name include \) -prune -exec rm -rf {} +
find . -type f \( -name '*.pyi' -o -name '*.pyx' -o -name '*.pxd' -o -name '*.pxi' \) -delete
# names of countries in other languages, and of languages; plotly's notebooks and example data
rm -rf pycountry/locales pycountry/databases/iso639* plotly/labextension plotly/package_data/datasets
# Arrow's network protocol and stores (its core is linked with the other parts): Streamlit sends tables in Arrow's own format
rm -rf pyarrow/*flight* pyarrow/libarrow_s3* pyarrow/_s3fs* pyarrow/_gcsfs* pyarrow/_azurefs* pyarrow/_hdfs*
# the same library under three names (the wheel cannot hold links), and readers of files that no service reads
for library in pyarrow/libarrow_python*.so.*.*.*; do
    if [ -e "$library" ]; then ln -f "$library" "${library%.*.*}" && ln -f "$library" "${library%.so.*}.so"; fi
done
rm -f pyarrow/_dataset* pyarrow/_parquet* pyarrow/_orc* pyarrow/_csv* pyarrow/_feather* pyarrow/_substrait* pyarrow/_pyarrow_cpp_tests*
# tools of numpy's for building extensions; plotly's widgets for notebooks, and the bytecode of its thousand classes of which a
# few are used: those few are compiled as they are imported
rm -rf numpy/f2py numpy/distutils plotly/package_data/widgetbundle.js plotly/graph_objs/_figurewidget.py
if [ -d plotly/graph_objs ]; then find plotly/graph_objs -mindepth 2 -name __pycache__ -prune -exec rm -rf {} +; fi
# kinds of charts of Streamlit's that the dashboard does not draw (it serves plotly's own script instead), and a format of pictures
# that it does not show
(cd streamlit/static/static/js 2>/dev/null && rm -f PlotlyChart.* DeckGlJsonChart.* EChartsChart.* mermaid* MermaidChart.* elk-*) || true
rm -rf altair pydeck PIL/_avif.* pillow.libs/libavif*
