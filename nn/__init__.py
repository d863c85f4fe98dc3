"""Neural nets of Values: models, losses, optimisers, saving."""

from nn.loss import binary_cross_entropy as binary_cross_entropy
from nn.loss import cross_entropy as cross_entropy
from nn.loss import hinge as hinge
from nn.loss import l2 as l2
from nn.loss import mae as mae
from nn.loss import mse as mse
from nn.module import MLP as MLP
from nn.module import Layer as Layer
from nn.module import Module as Module
from nn.module import Neuron as Neuron
from nn.optim import SGD as SGD
from nn.optim import Adam as Adam
from nn.optim import AdamW as AdamW
from nn.optim import constant as constant
from nn.optim import cosine as cosine
from nn.optim import linear as linear
from nn.optim import step as step
from nn.save import load as load
from nn.save import save as save
