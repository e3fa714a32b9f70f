"""Objects and an instruction in, decisions out: skills, language scoring, affordances, the SayCan loop."""
