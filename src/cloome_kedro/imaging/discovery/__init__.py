"""Look at a folder of a screen and propose the configuration that describes it, for ``cloome new-screen``.

`sources` finds the layouts, plates and channels of a folder, `tables` the platemaps and tables of compounds, `content`
what can be read from a few images, `scale` the settings of the study, and `texts` writes all of it as YAML. Nothing
here asks the user: what cannot be known is in the list ``questions`` of a finding, with a proposal.
"""
