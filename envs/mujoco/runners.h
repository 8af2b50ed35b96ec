// The robots that run in the plane as MuJoCo reads them (MJCF), so that tests can compare Chain with the simulator.
// Written from the published tables, not from the tables in envs/: a slip in either shows.
#pragma once

inline const char* const half_cheetah_xml = R"(<mujoco>
  <compiler angle="radian" settotalmass="14"/>
  <option gravity="0 0 -9.81" timestep="0.01"/>
  <default>
    <joint armature="0.1" damping="0.01" limited="true" solimplimit="0 0.8 0.03" solreflimit="0.02 1" stiffness="8"/>
    <geom conaffinity="0" condim="3" contype="1" friction="0.4 0.1 0.1" solimp="0 0.8 0.01" solref="0.02 1"/>
    <motor ctrllimited="true" ctrlrange="-1 1"/>
  </default>
  <worldbody>
    <geom type="plane" size="40 40 1" conaffinity="1"/>
    <body name="torso" pos="0 0 0.7">
      <joint name="rootx" type="slide" axis="1 0 0" damping="0" armature="0" stiffness="0" limited="false"/>
      <joint name="rootz" type="slide" axis="0 0 1" damping="0" armature="0" stiffness="0" limited="false"/>
      <joint name="rooty" axis="0 1 0" damping="0" armature="0" stiffness="0" limited="false"/>
      <geom type="capsule" fromto="-0.5 0 0 0.5 0 0" size="0.046"/>
      <geom type="capsule" pos="0.6 0 0.1" axisangle="0 1 0 0.87" size="0.046 0.15"/>
      <body name="bthigh" pos="-0.5 0 0">
        <joint name="bthigh" axis="0 1 0" range="-0.52 1.05" damping="6" stiffness="240"/>
        <geom type="capsule" pos="0.1 0 -0.13" axisangle="0 1 0 -3.8" size="0.046 0.145"/>
        <body name="bshin" pos="0.16 0 -0.25">
          <joint name="bshin" axis="0 1 0" range="-0.785 0.785" damping="4.5" stiffness="180"/>
          <geom type="capsule" pos="-0.14 0 -0.07" axisangle="0 1 0 -2.03" size="0.046 0.15"/>
          <body name="bfoot" pos="-0.28 0 -0.14">
            <joint name="bfoot" axis="0 1 0" range="-0.4 0.785" damping="3" stiffness="120"/>
            <geom type="capsule" pos="0.03 0 -0.097" axisangle="0 1 0 -0.27" size="0.046 0.094"/>
          </body>
        </body>
      </body>
      <body name="fthigh" pos="0.5 0 0">
        <joint name="fthigh" axis="0 1 0" range="-1 0.7" damping="4.5" stiffness="180"/>
        <geom type="capsule" pos="-0.07 0 -0.12" axisangle="0 1 0 0.52" size="0.046 0.133"/>
        <body name="fshin" pos="-0.14 0 -0.24">
          <joint name="fshin" axis="0 1 0" range="-1.2 0.87" damping="3" stiffness="120"/>
          <geom type="capsule" pos="0.065 0 -0.09" axisangle="0 1 0 -0.6" size="0.046 0.106"/>
          <body name="ffoot" pos="0.13 0 -0.18">
            <joint name="ffoot" axis="0 1 0" range="-0.5 0.5" damping="1.5" stiffness="60"/>
            <geom type="capsule" pos="0.045 0 -0.07" axisangle="0 1 0 -0.6" size="0.046 0.07"/>
          </body>
        </body>
      </body>
    </body>
  </worldbody>
  <actuator>
    <motor joint="bthigh" gear="120"/>
    <motor joint="bshin" gear="90"/>
    <motor joint="bfoot" gear="60"/>
    <motor joint="fthigh" gear="120"/>
    <motor joint="fshin" gear="60"/>
    <motor joint="ffoot" gear="30"/>
  </actuator>
</mujoco>)";

inline const char* const walker2d_xml = R"(<mujoco>
  <compiler angle="degree"/>
  <option integrator="RK4" timestep="0.002"/>
  <default>
    <joint armature="0.01" damping="0.1" limited="true"/>
    <geom conaffinity="0" condim="3" contype="1" density="1000" friction="0.7 0.1 0.1"/>
    <motor ctrllimited="true" ctrlrange="-1 1"/>
  </default>
  <worldbody>
    <geom type="plane" size="40 40 1" conaffinity="1"/>
    <body name="torso" pos="0 0 1.25">
      <joint name="rootx" type="slide" axis="1 0 0" damping="0" armature="0" limited="false"/>
      <joint name="rootz" type="slide" axis="0 0 1" ref="1.25" damping="0" armature="0" limited="false"/>
      <joint name="rooty" axis="0 1 0" damping="0" armature="0" limited="false"/>
      <geom type="capsule" fromto="0 0 0.2 0 0 -0.2" size="0.05" friction="0.9"/>
      <body name="thigh" pos="0 0 -0.2">
        <joint name="thigh_joint" axis="0 -1 0" range="-150 0"/>
        <geom type="capsule" fromto="0 0 0 0 0 -0.45" size="0.05" friction="0.9"/>
        <body name="leg" pos="0 0 -0.7">
          <joint name="leg_joint" axis="0 -1 0" pos="0 0 0.25" range="-150 0"/>
          <geom type="capsule" fromto="0 0 0.25 0 0 -0.25" size="0.04" friction="0.9"/>
          <body name="foot" pos="0.2 0 -0.35">
            <joint name="foot_joint" axis="0 -1 0" pos="-0.2 0 0.1" range="-45 45"/>
            <geom type="capsule" fromto="-0.2 0 0.1 0 0 0.1" size="0.06" friction="0.9"/>
          </body>
        </body>
      </body>
      <body name="thigh_left" pos="0 0 -0.2">
        <joint name="thigh_left_joint" axis="0 -1 0" range="-150 0"/>
        <geom type="capsule" fromto="0 0 0 0 0 -0.45" size="0.05" friction="0.9"/>
        <body name="leg_left" pos="0 0 -0.7">
          <joint name="leg_left_joint" axis="0 -1 0" pos="0 0 0.25" range="-150 0"/>
          <geom type="capsule" fromto="0 0 0.25 0 0 -0.25" size="0.04" friction="0.9"/>
          <body name="foot_left" pos="0.2 0 -0.35">
            <joint name="foot_left_joint" axis="0 -1 0" pos="-0.2 0 0.1" range="-45 45"/>
            <geom type="capsule" fromto="-0.2 0 0.1 0 0 0.1" size="0.06" friction="1.9"/>
          </body>
        </body>
      </body>
    </body>
  </worldbody>
  <actuator>
    <motor joint="thigh_joint" gear="100"/>
    <motor joint="leg_joint" gear="100"/>
    <motor joint="foot_joint" gear="100"/>
    <motor joint="thigh_left_joint" gear="100"/>
    <motor joint="leg_left_joint" gear="100"/>
    <motor joint="foot_left_joint" gear="100"/>
  </actuator>
</mujoco>)";

inline const char* const hopper_xml = R"(<mujoco>
  <compiler angle="degree"/>
  <option integrator="RK4" timestep="0.002"/>
  <default>
    <joint armature="1" damping="1" limited="true"/>
    <geom conaffinity="1" condim="1" contype="1" margin="0.001" solimp="0.8 0.8 0.01" solref="0.02 1"/>
    <motor ctrllimited="true" ctrlrange="-1 1"/>
  </default>
  <worldbody>
    <geom type="plane" size="40 40 1" condim="3"/>
    <body name="torso" pos="0 0 1.25">
      <joint name="rootx" type="slide" axis="1 0 0" damping="0" armature="0" limited="false"/>
      <joint name="rootz" type="slide" axis="0 0 1" ref="1.25" damping="0" armature="0" limited="false"/>
      <joint name="rooty" axis="0 1 0" damping="0" armature="0" limited="false"/>
      <geom type="capsule" fromto="0 0 0.2 0 0 -0.2" size="0.05" friction="0.9"/>
      <body name="thigh" pos="0 0 -0.2">
        <joint name="thigh_joint" axis="0 -1 0" range="-150 0"/>
        <geom type="capsule" fromto="0 0 0 0 0 -0.45" size="0.05" friction="0.9"/>
        <body name="leg" pos="0 0 -0.7">
          <joint name="leg_joint" axis="0 -1 0" pos="0 0 0.25" range="-150 0"/>
          <geom type="capsule" fromto="0 0 0.25 0 0 -0.25" size="0.04" friction="0.9"/>
          <body name="foot" pos="0.13 0 -0.35">
            <joint name="foot_joint" axis="0 -1 0" pos="-0.13 0 0.1" range="-45 45"/>
            <geom type="capsule" fromto="-0.26 0 0.1 0.13 0 0.1" size="0.06" friction="2"/>
          </body>
        </body>
      </body>
    </body>
  </worldbody>
  <actuator>
    <motor joint="thigh_joint" gear="200"/>
    <motor joint="leg_joint" gear="200"/>
    <motor joint="foot_joint" gear="200"/>
  </actuator>
</mujoco>)";
