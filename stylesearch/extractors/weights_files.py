from stylesearch.storage import sha256_file


def assign_weights(graph, weights):
    from stylesearch.extractors.torch_legacy import read_legacy_state_dict
    from stylesearch.extractors.efficientnet_lite import assign_torch_weights

    assign_torch_weights(graph, read_legacy_state_dict(weights.path))
