"""Networks from and for other packages.

NIR is in `sc_neurocore.exchange.nir`, which needs the extra nir.
"""

from sc_neurocore.exchange.relu import Conversion, LayerConversion, convert_relu

__all__ = ["Conversion", "LayerConversion", "convert_relu"]
