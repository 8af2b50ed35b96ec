// The humanoid as MuJoCo reads it (MJCF).
#pragma once

inline const char* const humanoid_xml = R"(<mujoco>
  <compiler angle="degree"/>
  <option integrator="RK4" iterations="50" solver="PGS" timestep="0.003"/>
  <default>
    <joint armature="1" damping="1" limited="true"/>
    <geom conaffinity="1" condim="1" contype="1" margin="0.001"/>
    <motor ctrllimited="true" ctrlrange="-0.4 0.4"/>
  </default>
  <worldbody>
    <geom type="plane" size="40 40 1" condim="3" friction="1 0.1 0.1"/>
    <body name="torso" pos="0 0 1.4">
      <joint name="root" type="free" damping="0" armature="0" limited="false"/>
      <geom type="capsule" fromto="0 -0.07 0 0 0.07 0" size="0.07"/>
      <geom pos="0 0 0.19" size="0.09"/>
      <geom type="capsule" fromto="-0.01 -0.06 -0.12 -0.01 0.06 -0.12" size="0.06"/>
      <body name="lwaist" pos="-0.01 0 -0.26" quat="1 0 -0.002 0">
        <joint name="abdomen_z" axis="0 0 1" pos="0 0 0.065" range="-45 45" damping="5" armature="0.02" stiffness="20"/>
        <joint name="abdomen_y" axis="0 1 0" pos="0 0 0.065" range="-75 30" damping="5" armature="0.02" stiffness="10"/>
        <geom type="capsule" fromto="0 -0.06 0 0 0.06 0" size="0.06"/>
        <body name="pelvis" pos="0 0 -0.165" quat="1 0 -0.002 0">
          <joint name="abdomen_x" axis="1 0 0" pos="0 0 0.1" range="-35 35" damping="5" armature="0.02" stiffness="10"/>
          <geom type="capsule" fromto="-0.02 -0.07 0 -0.02 0.07 0" size="0.09"/>
          <body name="right_thigh" pos="0 -0.1 -0.04">
            <joint name="right_hip_x" axis="1 0 0" range="-25 5" damping="5" armature="0.01" stiffness="10"/>
            <joint name="right_hip_z" axis="0 0 1" range="-60 35" damping="5" armature="0.01" stiffness="10"/>
            <joint name="right_hip_y" axis="0 1 0" range="-110 20" damping="5" armature="0.008" stiffness="20"/>
            <geom type="capsule" fromto="0 0 0 0 0.01 -0.34" size="0.06"/>
            <body name="right_shin" pos="0 0.01 -0.403">
              <joint name="right_knee" axis="0 -1 0" pos="0 0 0.02" range="-160 -2" armature="0.006"/>
              <geom type="capsule" fromto="0 0 0 0 0 -0.3" size="0.049"/>
              <body name="right_foot" pos="0 0 -0.45">
                <geom pos="0 0 0.1" size="0.075"/>
              </body>
            </body>
          </body>
          <body name="left_thigh" pos="0 0.1 -0.04">
            <joint name="left_hip_x" axis="-1 0 0" range="-25 5" damping="5" armature="0.01" stiffness="10"/>
            <joint name="left_hip_z" axis="0 0 -1" range="-60 35" damping="5" armature="0.01" stiffness="10"/>
            <joint name="left_hip_y" axis="0 1 0" range="-110 20" damping="5" armature="0.01" stiffness="20"/>
            <geom type="capsule" fromto="0 0 0 0 -0.01 -0.34" size="0.06"/>
            <body name="left_shin" pos="0 -0.01 -0.403">
              <joint name="left_knee" axis="0 -1 0" pos="0 0 0.02" range="-160 -2" armature="0.006" stiffness="1"/>
              <geom type="capsule" fromto="0 0 0 0 0 -0.3" size="0.049"/>
              <body name="left_foot" pos="0 0 -0.45">
                <geom pos="0 0 0.1" size="0.075"/>
              </body>
            </body>
          </body>
        </body>
      </body>
      <body name="right_upper_arm" pos="0 -0.17 0.06">
        <joint name="right_shoulder1" axis="2 1 1" range="-85 60" armature="0.0068" stiffness="1"/>
        <joint name="right_shoulder2" axis="0 -1 1" range="-85 60" armature="0.0051" stiffness="1"/>
        <geom type="capsule" fromto="0 0 0 0.16 -0.16 -0.16" size="0.04"/>
        <body name="right_lower_arm" pos="0.18 -0.18 -0.18">
          <joint name="right_elbow" axis="0 -1 1" range="-90 50" armature="0.0028"/>
          <geom type="capsule" fromto="0.01 0.01 0.01 0.17 0.17 0.17" size="0.031"/>
          <geom pos="0.18 0.18 0.18" size="0.04"/>
        </body>
      </body>
      <body name="left_upper_arm" pos="0 0.17 0.06">
        <joint name="left_shoulder1" axis="2 -1 1" range="-60 85" armature="0.0068" stiffness="1"/>
        <joint name="left_shoulder2" axis="0 1 1" range="-60 85" armature="0.0051" stiffness="1"/>
        <geom type="capsule" fromto="0 0 0 0.16 0.16 -0.16" size="0.04"/>
        <body name="left_lower_arm" pos="0.18 0.18 -0.18">
          <joint name="left_elbow" axis="0 -1 -1" range="-90 50" armature="0.0028"/>
          <geom type="capsule" fromto="0.01 -0.01 0.01 0.17 -0.17 0.17" size="0.031"/>
          <geom pos="0.18 -0.18 0.18" size="0.04"/>
        </body>
      </body>
    </body>
  </worldbody>
  <actuator>
    <motor joint="abdomen_y" gear="100"/>
    <motor joint="abdomen_z" gear="100"/>
    <motor joint="abdomen_x" gear="100"/>
    <motor joint="right_hip_x" gear="100"/>
    <motor joint="right_hip_z" gear="100"/>
    <motor joint="right_hip_y" gear="300"/>
    <motor joint="right_knee" gear="200"/>
    <motor joint="left_hip_x" gear="100"/>
    <motor joint="left_hip_z" gear="100"/>
    <motor joint="left_hip_y" gear="300"/>
    <motor joint="left_knee" gear="200"/>
    <motor joint="right_shoulder1" gear="25"/>
    <motor joint="right_shoulder2" gear="25"/>
    <motor joint="right_elbow" gear="25"/>
    <motor joint="left_shoulder1" gear="25"/>
    <motor joint="left_shoulder2" gear="25"/>
    <motor joint="left_elbow" gear="25"/>
  </actuator>
</mujoco>)";
