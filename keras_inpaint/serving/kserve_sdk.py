"""The parts of the KServe SDK that the server is built on.

Importing `kserve` has two side effects that a library must not pass on: it parses the command
line of the process as its own, and its dependencies warn. Everything else in this package
takes KServe's names from here.
"""

import sys
import warnings

_arguments = sys.argv
sys.argv = sys.argv[:1]
try:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from kserve import (
            InferInput,
            InferOutput,
            InferRequest,
            InferResponse,
            Model,
            ModelRepository,
        )
        from kserve.errors import InferenceError, InvalidInput
        from kserve.protocol.dataplane import DataPlane
        from kserve.protocol.grpc import grpc_predict_v2_pb2 as oip_pb2
        from kserve.protocol.grpc.grpc_predict_v2_pb2_grpc import (
            add_GRPCInferenceServiceServicer_to_server,
        )
        from kserve.protocol.grpc.servicer import InferenceServicer
        from kserve.protocol.infer_type import RequestedOutput, to_http_parameters
        from kserve.protocol.model_repository_extension import ModelRepositoryExtension
        from kserve.utils.numpy_codec import from_np_dtype, to_np_dtype
finally:
    sys.argv = _arguments

__all__ = [
    "DataPlane",
    "InferInput",
    "InferOutput",
    "InferRequest",
    "InferResponse",
    "InferenceError",
    "InferenceServicer",
    "InvalidInput",
    "Model",
    "ModelRepository",
    "ModelRepositoryExtension",
    "RequestedOutput",
    "add_GRPCInferenceServiceServicer_to_server",
    "from_np_dtype",
    "oip_pb2",
    "to_http_parameters",
    "to_np_dtype",
]
