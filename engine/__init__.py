"""A scalar autograd engine: numbers that remember how they were computed."""

from engine import names
from engine.another import __project__ as __project__
from engine.check import check_grads as check_grads
from engine.check import complex_step as complex_step
from engine.check import finite_difference as finite_difference
from engine.derivatives import grad as grad
from engine.derivatives import hessian as hessian
from engine.derivatives import hvp as hvp
from engine.derivatives import jacobian as jacobian
from engine.derivatives import jvp as jvp
from engine.elementary import *  # noqa: F403 (the rows, as functions)
from engine.functions import argmax as argmax
from engine.functions import clip as clip
from engine.functions import cross_entropy as cross_entropy
from engine.functions import cumsum as cumsum
from engine.functions import define as define
from engine.functions import dot as dot
from engine.functions import log_softmax as log_softmax
from engine.functions import logsumexp as logsumexp
from engine.functions import max as max
from engine.functions import mean as mean
from engine.functions import min as min
from engine.functions import norm as norm
from engine.functions import pick as pick
from engine.functions import prod as prod
from engine.functions import softmax as softmax
from engine.functions import std as std
from engine.functions import sum as sum
from engine.functions import var as var
from engine.functions import where as where
from engine.graph import toposort as toposort
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

names.show(globals())
names.moved(draw="pictures", steps="pictures")
