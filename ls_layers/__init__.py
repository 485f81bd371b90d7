"""ls_layers: one layer per file, forward and backward by hand."""

from ls_core.graph import Input as Input
from ls_core.layer import Layer
from ls_core.registry import register_module

from . import accelerated as accelerated
from . import activations as activations
from .activation import Activation as Activation
from .activity_regularization import ActivityRegularization as ActivityRegularization
from .adaptive_average_pooling1d import AdaptiveAveragePooling1D as AdaptiveAveragePooling1D
from .adaptive_average_pooling2d import AdaptiveAveragePooling2D as AdaptiveAveragePooling2D
from .adaptive_average_pooling3d import AdaptiveAveragePooling3D as AdaptiveAveragePooling3D
from .adaptive_max_pooling1d import AdaptiveMaxPooling1D as AdaptiveMaxPooling1D
from .adaptive_max_pooling2d import AdaptiveMaxPooling2D as AdaptiveMaxPooling2D
from .adaptive_max_pooling3d import AdaptiveMaxPooling3D as AdaptiveMaxPooling3D
from .add import Add as Add
from .additive_attention import AdditiveAttention as AdditiveAttention
from .alpha_dropout import AlphaDropout as AlphaDropout
from .attention import Attention as Attention
from .average import Average as Average
from .average_pooling1d import AveragePooling1D as AveragePooling1D
from .average_pooling2d import AveragePooling2D as AveragePooling2D
from .average_pooling3d import AveragePooling3D as AveragePooling3D
from .batch_normalization import BatchNormalization as BatchNormalization
from .bidirectional import Bidirectional as Bidirectional
from .category_encoding import CategoryEncoding as CategoryEncoding
from .center_crop import CenterCrop as CenterCrop
from .concatenate import Concatenate as Concatenate
from .conv1d import Conv1D as Conv1D
from .conv1d_transpose import Conv1DTranspose as Conv1DTranspose
from .conv2d import Conv2D as Conv2D
from .conv2d_transpose import Conv2DTranspose as Conv2DTranspose
from .conv3d import Conv3D as Conv3D
from .conv3d_transpose import Conv3DTranspose as Conv3DTranspose
from .cropping1d import Cropping1D as Cropping1D
from .cropping2d import Cropping2D as Cropping2D
from .cropping3d import Cropping3D as Cropping3D
from .dense import Dense as Dense
from .depthwise_conv1d import DepthwiseConv1D as DepthwiseConv1D
from .depthwise_conv2d import DepthwiseConv2D as DepthwiseConv2D
from .discretization import Discretization as Discretization
from .dot import Dot as Dot
from .dropout import Dropout as Dropout
from .einsum_dense import EinsumDense as EinsumDense
from .elu import ELU as ELU
from .embedding import Embedding as Embedding
from .flatten import Flatten as Flatten
from .gaussian_dropout import GaussianDropout as GaussianDropout
from .gaussian_noise import GaussianNoise as GaussianNoise
from .global_average_pooling1d import GlobalAveragePooling1D as GlobalAveragePooling1D
from .global_average_pooling2d import GlobalAveragePooling2D as GlobalAveragePooling2D
from .global_average_pooling3d import GlobalAveragePooling3D as GlobalAveragePooling3D
from .global_max_pooling1d import GlobalMaxPooling1D as GlobalMaxPooling1D
from .global_max_pooling2d import GlobalMaxPooling2D as GlobalMaxPooling2D
from .global_max_pooling3d import GlobalMaxPooling3D as GlobalMaxPooling3D
from .group_normalization import GroupNormalization as GroupNormalization
from .group_query_attention import GroupQueryAttention as GroupQueryAttention
from .gru import GRU as GRU
from .gru_cell import GRUCell as GRUCell
from .hashing import Hashing as Hashing
from .identity import Identity as Identity
from .integer_lookup import IntegerLookup as IntegerLookup
from .layer_normalization import LayerNormalization as LayerNormalization
from .leaky_relu import LeakyReLU as LeakyReLU
from .lstm import LSTM as LSTM
from .lstm_cell import LSTMCell as LSTMCell
from .masking import Masking as Masking
from .max_pooling1d import MaxPooling1D as MaxPooling1D
from .max_pooling2d import MaxPooling2D as MaxPooling2D
from .max_pooling3d import MaxPooling3D as MaxPooling3D
from .maximum import Maximum as Maximum
from .minimum import Minimum as Minimum
from .multi_head_attention import MultiHeadAttention as MultiHeadAttention
from .multiply import Multiply as Multiply
from .normalization import Normalization as Normalization
from .parallel import Parallel as Parallel
from .permute import Permute as Permute
from .position_embedding import PositionEmbedding as PositionEmbedding
from .prelu import PReLU as PReLU
from .random_brightness import RandomBrightness as RandomBrightness
from .random_contrast import RandomContrast as RandomContrast
from .random_crop import RandomCrop as RandomCrop
from .random_flip import RandomFlip as RandomFlip
from .random_rotation import RandomRotation as RandomRotation
from .random_translation import RandomTranslation as RandomTranslation
from .random_zoom import RandomZoom as RandomZoom
from .relu import ReLU as ReLU
from .repeat_vector import RepeatVector as RepeatVector
from .rescaling import Rescaling as Rescaling
from .reshape import Reshape as Reshape
from .residual import Residual as Residual
from .resizing import Resizing as Resizing
from .reversible_embedding import ReversibleEmbedding as ReversibleEmbedding
from .rms_normalization import RMSNormalization as RMSNormalization
from .rnn import RNN as RNN
from .rotary_embedding import RotaryEmbedding as RotaryEmbedding
from .separable_conv1d import SeparableConv1D as SeparableConv1D
from .separable_conv2d import SeparableConv2D as SeparableConv2D
from .simple_rnn import SimpleRNN as SimpleRNN
from .simple_rnn_cell import SimpleRNNCell as SimpleRNNCell
from .sinusoidal_position_encoding import SinusoidalPositionEncoding as SinusoidalPositionEncoding
from .softmax import Softmax as Softmax
from .spatial_dropout1d import SpatialDropout1D as SpatialDropout1D
from .spatial_dropout2d import SpatialDropout2D as SpatialDropout2D
from .spatial_dropout3d import SpatialDropout3D as SpatialDropout3D
from .spectral_normalization import SpectralNormalization as SpectralNormalization
from .stacked_rnn_cells import StackedRNNCells as StackedRNNCells
from .string_lookup import StringLookup as StringLookup
from .subtract import Subtract as Subtract
from .swiglu import SwiGLU as SwiGLU
from .text_vectorization import TextVectorization as TextVectorization
from .time_distributed import TimeDistributed as TimeDistributed
from .transformer_decoder_block import TransformerDecoderBlock as TransformerDecoderBlock
from .transformer_encoder_block import TransformerEncoderBlock as TransformerEncoderBlock
from .unit_normalization import UnitNormalization as UnitNormalization
from .up_sampling1d import UpSampling1D as UpSampling1D
from .up_sampling2d import UpSampling2D as UpSampling2D
from .up_sampling3d import UpSampling3D as UpSampling3D
from .wrapper import Wrapper as Wrapper
from .zero_padding1d import ZeroPadding1D as ZeroPadding1D
from .zero_padding2d import ZeroPadding2D as ZeroPadding2D
from .zero_padding3d import ZeroPadding3D as ZeroPadding3D

# Keras' other names
AvgPool1D, AvgPool2D, AvgPool3D = AveragePooling1D, AveragePooling2D, AveragePooling3D
GlobalAvgPool1D, GlobalAvgPool2D, GlobalAvgPool3D = GlobalAveragePooling1D, GlobalAveragePooling2D, GlobalAveragePooling3D
GlobalMaxPool1D, GlobalMaxPool2D, GlobalMaxPool3D = GlobalMaxPooling1D, GlobalMaxPooling2D, GlobalMaxPooling3D
MaxPool1D, MaxPool2D, MaxPool3D = MaxPooling1D, MaxPooling2D, MaxPooling3D
Convolution1D, Convolution2D, Convolution3D = Conv1D, Conv2D, Conv3D
Convolution1DTranspose, Convolution2DTranspose, Convolution3DTranspose = Conv1DTranspose, Conv2DTranspose, Conv3DTranspose
SeparableConvolution1D, SeparableConvolution2D = SeparableConv1D, SeparableConv2D

register_module("layer", dict(globals()), Layer)
