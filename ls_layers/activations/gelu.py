"""gelu: y = x Phi(x), Phi the normal distribution function (Hendrycks and Gimpel 2016, section 2).

``gelu`` is exact, by erf; ``gelu_tanh`` is the paper's approximation
y = x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))).
"""
