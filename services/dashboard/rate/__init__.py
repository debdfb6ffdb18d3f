"""The rate of the load: an exact number field beside a logarithmic slider, one value for both and for every place that shows them."""
