"""The choice of a model: from a lease request, cards and live statistics to a ranking. Pure and synchronous."""
