"""The fire drill: each alert is caused for real, and watched until it is delivered and over."""
