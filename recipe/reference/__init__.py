"""The generated parts of docs/reference: YAML keys, pipeline options, files by stage, minikaldi's commands.

    python3 -m recipe.reference --check      # exit code 1 if a page differs from what the code declares
    python3 -m recipe.reference --write      # write the generated parts again

A page is written by hand except for its generated parts, each between two comments (`common.doc_sections`).
"""
