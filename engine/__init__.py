"""A scalar autograd engine: numbers that remember how they were computed."""

from engine import names
from engine.check import check_grads as check_grads
from engine.check import complex_step as complex_step
from engine.check import finite_difference as finite_difference
from engine.derivatives import grad as grad
from engine.derivatives import hessian as hessian
from engine.derivatives import hvp as hvp
from engine.derivatives import jacobian as jacobian
from engine.derivatives import jvp as jvp
from engine.functions import acos as acos
from engine.functions import asin as asin
from engine.functions import atan as atan
from engine.functions import cos as cos
from engine.functions import cosh as cosh
from engine.functions import cross_entropy as cross_entropy
from engine.functions import define as define
from engine.functions import dot as dot
from engine.functions import erf as erf
from engine.functions import erfc as erfc
from engine.functions import exp as exp
from engine.functions import expm1 as expm1
from engine.functions import gelu as gelu
from engine.functions import leaky_relu as leaky_relu
from engine.functions import log as log
from engine.functions import log1p as log1p
from engine.functions import logsumexp as logsumexp
from engine.functions import max as max
from engine.functions import min as min
from engine.functions import pick as pick
from engine.functions import relu as relu
from engine.functions import sigmoid as sigmoid
from engine.functions import sin as sin
from engine.functions import sinh as sinh
from engine.functions import softmax as softmax
from engine.functions import softplus as softplus
from engine.functions import sqrt as sqrt
from engine.functions import sum as sum
from engine.functions import tan as tan
from engine.functions import tanh as tanh
from engine.modes import detect_anomaly as detect_anomaly
from engine.modes import enable_grad as enable_grad
from engine.modes import no_grad as no_grad
from engine.pictures.draw import Drawing as Drawing
from engine.pictures.draw import draw as draw
from engine.pictures.steps import mistake as mistake
from engine.pictures.steps import steps as steps
from engine.pictures.story.mistake import Mistake as Mistake
from engine.pictures.story.steps import Steps as Steps
from engine.replay.replay import replay as replay
from engine.value import Value as Value
from engine.value import toposort as toposort

# `from engine import *` leaves Python's own three alone: they take `key=`, and sum any numbers.
names.show(globals(), but=("max", "min", "sum"))
names.moved(draw="pictures", steps="pictures")
