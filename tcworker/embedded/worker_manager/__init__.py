"""worker_manager"""
